"""The table of choices: for a source and a target one faded count. It names no person, no tenant and no moment."""

from __future__ import annotations

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from filewright.chassis.db.base import Base

_FORMAT = String(64)


class ChoiceRow(Base):
    """How often this target was chosen for this source, as `order.py` counts."""

    __tablename__ = "choices"

    source: Mapped[str] = mapped_column(_FORMAT, primary_key=True)
    target: Mapped[str] = mapped_column(_FORMAT, primary_key=True)
    weight: Mapped[float] = mapped_column(Double)
    """The sum of `order.growth` at the moment of each choice."""
