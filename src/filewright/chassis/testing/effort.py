"""How much processor time a piece of code needs, whatever else the machine and the process are about."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

RUNS = 3


def cpu_seconds(call: Callable[[], object], enough: float = 0.0) -> float:
    """The least of up to three runs, in CPU seconds of this thread; no further run once one needs at most `enough`.

    The least one is what the code costs. What comes on top is a machine that stole the processor or looked for memory,
    and a collector going through what earlier tests left. What `call` raises comes out of here.
    """
    least = float("inf")
    gc.freeze()
    try:
        for _ in range(RUNS):
            began = time.thread_time()
            call()
            least = min(least, time.thread_time() - began)
            if least <= enough:
                break
    finally:
        gc.unfreeze()
    return least
