"""When to make a value anew before its end, and how to keep many from ending together.

Early refresh is XFetch: A. Vattani, F. Chierichetti, K. Lowenstein, "Optimal Probabilistic Cache Stampede Prevention",
VLDB 2015. Each reader draws a chance `u` from (0, 1], and makes the value anew when

    left <= cost · eagerness · -ln(u)

so the closer the end, and the dearer the value, the likelier. With many readers one of them begins about `cost` times
the logarithm of their number before the end; a value that nobody reads is not made again.

Pure: chances and times come from outside.
"""

from __future__ import annotations

import math

EAGERNESS = 1.0
"""Above 1 earlier, below 1 later; the paper's 1 is best for what costs always the same."""
SPREAD = 0.1
_RAREST = 40.0
"""-ln of the smallest chance worth drawing: once in 10¹⁷."""


def is_time(left: float, cost: float, chance: float) -> bool:
    """Whether a reader with that chance, from [0, 1), makes it anew."""
    return left <= cost * EAGERNESS * -math.log(1.0 - chance)


def draws_below(cost: float) -> float:
    """With more time left than this no chance would do, so that none need be drawn."""
    return cost * EAGERNESS * _RAREST


def spread(seconds: float, chance: float) -> float:
    """That time or up to a tenth less, so that what was kept together does not end together."""
    return seconds * (1.0 - SPREAD * chance)
