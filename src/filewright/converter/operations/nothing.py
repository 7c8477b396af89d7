"""Where no operation is offered beside converting: for processes and tests that have none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from filewright.chassis.errors import FieldError
from filewright.converter.conversion.orders import Converted, Plan, Stage
from filewright.converter.errors import InvalidOrder
from filewright.converter.operations.orders import OrderedStep, Task


class NoOperations:
    """Refuses every order."""

    def plan(self, formats: Sequence[str | None], steps: Sequence[OrderedStep]) -> Plan:
        raise _not_offered(steps)

    def takes_anything(self, operation: str) -> bool:
        return False

    async def carry_out(
        self,
        task: Task,
        *,
        workspace: Path,
        on_stage: Callable[[Stage], None],
        on_progress: Callable[[float], None],
        cancel: asyncio.Event | None,
    ) -> Converted:
        raise _not_offered(task.steps)


def _not_offered(steps: Sequence[OrderedStep]) -> InvalidOrder:
    detail = f"The operation {steps[0].operation[:40]!r} is not offered here; `convert` is."
    return InvalidOrder(detail, errors=(FieldError(f"{steps[0].pointer}/operation", detail),))
