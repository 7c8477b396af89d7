"""The Celery application: one task, and the settings under which losing, doubling or forging a message does no harm.

The database says what is to be done, so Celery is asked for nothing it cannot promise: no late acknowledgement, no
results, no retries, no schedules. `celery inspect`, `celery events` and Flower work on whatever runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery
from celery.worker.strategy import default as default_strategy
from kombu import Exchange, Queue

from filewright.chassis.coordination.redis_address import ANSWER_SECONDS, CONNECT_SECONDS, RedisAddress
from filewright.chassis.queue.envelope import TASK
from filewright.chassis.queue.port import LANES, Task
from filewright.chassis.queue.tokens import Forged, verify
from filewright.chassis.telemetry.logs import get_logger

APP = "filewright"
FAIRNESS = 4
"""After so many messages in a row from the lane in front, the lanes behind are asked first once."""

log = get_logger(__name__)


class FrontLaneWithShare:
    """An order for kombu: the lane in front first, as in its own `priority`, and a share reserved for the others."""

    fairness = FAIRNESS

    def __init__(self) -> None:
        self._lanes: list[str] = []
        self._in_front = 0

    def update(self, lanes: Sequence[str]) -> None:
        """These are the lanes, the first in front."""
        self._lanes = list(lanes)

    def consume(self, n: int) -> list[str]:
        """The order in which the next message is looked for."""
        lanes = self._lanes[:n]
        return lanes if self._in_front < self.fairness else [*lanes[1:], *lanes[:1]]

    def rotate(self, last_used: str) -> str:
        """A message came from this lane, which none may be any more: a worker that ends takes what is on its way."""
        self._in_front = self._in_front + 1 if self._lanes[:1] == [last_used] else 0
        return last_used


def at_once(task: Any, app: Celery, consumer: Any) -> Callable[..., None]:
    """Celery's way to take a message of ours, for messages of ours only: of the newest form, and to be run now.

    One with a date in the future would be kept until then and, since a worker keeps no more than it may prefetch, make
    it deaf to all others.
    """
    run = default_strategy(task, app, consumer)

    def take(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **options: Any) -> None:
        if not isinstance(message.payload, list) or message.headers.get("eta") or message.headers.get("expires"):
            log.warning("hint_refused", reason="not of the form that we publish")
            return
        run(message, body, _gone_already, reject, callbacks, **options)

    return take


def _gone_already(*_: object) -> None:
    """For Celery to call when it would acknowledge a message."""


def create_app(
    url: str, secret: bytes, deliver: Callable[[Task], None], *, lanes: Sequence[str] = LANES, name: str = APP
) -> Celery:
    """An application whose worker calls `deliver` for every genuine hint in `lanes`; what is forged is told and gone.

    Pass `lanes` in the order in which they are served. Raises ValueError for an address that is none.
    """
    broker, transport = RedisAddress.parse(url).for_celery()
    app = Celery(name, broker=broker, backend=None, set_as_current=False)
    app.conf.update(
        # no_ack: what is taken is gone. Keeping it until it is acknowledged is most of kombu's work on Redis, and would
        # bring a hint back an hour after its taker was killed, when it has long come again from the database.
        task_queues=[Queue(lane, Exchange(""), routing_key=lane, no_ack=True) for lane in lanes],
        task_default_queue=lanes[-1],
        task_create_missing_queues=False,
        task_acks_late=False,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_eta_task_limit=1,
        # JSON and nothing else: a pickle is code
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        result_accept_content=["json"],
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        worker_soft_shutdown_timeout=2.0,
        task_time_limit=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options={
            **transport,
            "queue_order_strategy": f"{__name__}:{FrontLaneWithShare.__name__}",
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": 2 * ANSWER_SECONDS,  # longer than the second for which an empty list is waited on
            "socket_keepalive": True,
            "health_check_interval": 5,
        },
        enable_utc=True,
    )

    @app.task(name=TASK, ignore_result=True, shared=False, Strategy=f"{__name__}:{at_once.__name__}")
    def hint(token: object) -> None:
        try:
            task = verify(token, secret)
        except Forged as refusal:
            log.warning("hint_refused", reason=str(refusal))
        else:
            deliver(task)

    app.finalize()
    for built_in in [known for known in app.tasks if known.startswith("celery.")]:
        del app.tasks[built_in]  # maps, chords and clean-ups: ways for a forged message to make more of itself
    return app
