"""Celery's own worker, on a thread of a process that does the work itself.

It consumes, answers `celery inspect` and sends heartbeats, as any Celery worker does; running the one task there is
means handing its hint over. It takes a message from the broker only while somebody waits for one: its pool is as large
as the number of those.

A worker that lost its broker is not asked to find it again: it ends, and a new one takes its place. So is one that
seems deaf. Nothing but the connection was in it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from celery import Celery
from celery.concurrency.solo import TaskPool
from celery.worker import WorkController, state
from kombu.asynchronous import set_event_loop
from kombu.asynchronous.hub import Hub
from typing_extensions import override

from filewright.chassis.telemetry.logs import get_logger

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
_HEALTHY_SECONDS = 5.0
_JOIN_SECONDS = 10.0
_TALKATIVE = ("celery.worker.strategy", "celery.app.trace")

log = get_logger(__name__)


class CeleryWorker:
    """`start` it, `wake` it when somebody began to wait, `stop` it.

    Celery keeps its state in its modules, so a process has one of these at a time.
    """

    def __init__(self, make_app: Callable[[], Celery], wanted: Callable[[], int], *, name: str | None = None) -> None:
        self._make_app = make_app
        self._pool = _pool(wanted)
        self._name = name or f"filewright-{os.getpid()}@{socket.gethostname()}"
        self._worker: WorkController | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="celery", daemon=True)

    def start(self) -> None:
        """Begin to consume, or to look for a broker from which to consume."""
        for name in _TALKATIVE:  # they tell of every hint, twice
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("celery.worker.consumer.consumer").addFilter(_is_news)
        self._thread.start()

    def wake(self) -> None:
        """Look at once how many hints are wanted. May be called from any thread."""
        hub: Hub | None = getattr(self._worker, "hub", None)
        if hub is not None:
            hub.call_soon(_nothing)

    def renew(self) -> None:
        """Put another in place of a worker that seems deaf."""
        state.should_stop = os.EX_OK  # type: ignore[assignment]
        self.wake()

    def stop(self) -> None:
        """Consume no more. Blocks until the thread has ended, though not for ever."""
        self._stopping.set()
        self.renew()
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():
            log.warning("celery_worker_left_behind")

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except (Exception, SystemExit):
                log.exception("celery_worker_broken")
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE if time.monotonic() - began > _HEALTHY_SECONDS else min(LONGEST_PAUSE, pause * 2)
            log.warning("celery_worker_ended", again_in=pause)
            self._stopping.wait(pause)

    def _serve(self) -> None:
        """One worker's life."""
        state.should_stop = os.EX_OK if self._stopping.is_set() else None  # type: ignore[assignment]
        state.reset_state()
        set_event_loop(None)
        app = self._make_app()
        app.set_current()  # on this thread: a task is looked up in the current application
        app.conf.update(broker_connection_retry=False, broker_connection_retry_on_startup=False)
        self._worker = app.WorkController(
            hostname=self._name, pool_cls=self._pool, concurrency=1, without_mingle=True, without_gossip=True
        )
        try:
            self._worker.start()
        finally:
            self._worker = None
            app.close()


def _pool(wanted: Callable[[], int]) -> type[TaskPool]:
    """A pool that runs a task at once on the worker's thread, and says it has as many places as hints are wanted."""

    class OnDemand(TaskPool):
        @property
        @override
        def num_processes(self) -> int:
            return wanted()

    return OnDemand


def _nothing() -> None:
    """For the sake of a turn of the worker's loop."""


def _is_news(record: logging.LogRecord) -> bool:
    """That no reconnecting is tried is as it should be."""
    return not str(record.msg).startswith("Retrying to ")
