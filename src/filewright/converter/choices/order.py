"""The order in which targets are suggested: what people choose for a source, on top of what is usual.

    score(target) = habit(target) + chosen(target)
    habit(target) = 12 · 0.75^place                 its place among the usual targets, counted from 0; others have none
    chosen(target) = Σ 2^(-age / 30 days)           over every time that it was chosen

A habit is worth as much as that many choices of today. So a few odd choices move a target among the suggestions, and
only a dozen more than the first one has turn the list over; where much is converted, habits soon weigh nothing. What
was chosen a month ago counts half, so a list that was turned over finds its way back by itself.

A count that fades would have to be rewritten with time. It is stored as it would be worth at one fixed moment
instead: a choice at the moment t adds `growth(t) = 2^((t - LANDMARK) / 30 days)`, and what is stored, divided by
`growth(now)`, is the sum above ("forward decay"). Adding is all that ever happens to a row, so it does not matter in
which order processes write, nor how late. A float holds this until the year 2110.

Pure: the moments, the counts and the possible targets come from outside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from filewright.converter.routing.usual import habits

HALF_LIFE = timedelta(days=30)
LANDMARK = datetime(2026, 1, 1, tzinfo=UTC)
"""Never to be changed: every stored count is relative to it."""
MOST = 6
"""As many are suggested, at most."""
_FIRST_HABIT = 12.0
_NEXT_HABIT = 0.75


def growth(moment: datetime) -> float:
    """What one choice at that moment adds to what is stored."""
    return float(2.0 ** ((moment - LANDMARK) / HALF_LIFE))


def suggested(source: str, possible: Collection[str], chosen: Mapping[str, float], most: int = MOST) -> Sequence[str]:
    """The likeliest of the possible targets, best first. `possible` is in the order that breaks ties."""
    usual = [target for target in habits(source) if target in possible]
    scores = {target: _FIRST_HABIT * _NEXT_HABIT**place for place, target in enumerate(usual)}
    candidates = [target for target in dict.fromkeys((*usual, *possible)) if target != source]
    return sorted(candidates, key=lambda target: -(scores.get(target, 0.0) + chosen.get(target, 0.0)))[:most]
