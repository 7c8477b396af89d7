"""Every attack of the catalogue against the most exposed targets, both layers up; and every harmless twin."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers.attack import CONVERTED, Attack, Twin
from oracles.arena import Arena
from oracles.planted import shapes

FAMILIES = tuple(
    importlib.import_module(f"makers.{path.stem}")
    for path in sorted((Path(__file__).parent / "makers").glob("*.py"))
    if path.stem not in {"attack", "packages"}
)


def attacks() -> Iterator[object]:
    for family in FAMILIES:
        for attack in family.ATTACKS:
            for target in attack.targets:
                marks = pytest.mark.requirement(*attack.ids)
                yield pytest.param(attack, target, marks=marks, id=f"{attack.name}-to-{target}")


def twins() -> Iterator[object]:
    for family in FAMILIES:
        for twin in family.TWINS:
            marks = [pytest.mark.requirement(*twin.ids)] if twin.ids else []
            yield pytest.param(twin, marks=marks, id=f"{twin.name} to {twin.target}")


@pytest.mark.parametrize(("attack", "target"), list(attacks()))
@pytest.mark.sampled(10)
async def test_an_attack_reaches_nothing(arena: Arena, attack: Attack, target: str) -> None:
    verdict = await arena.attack(attack, target)
    assert verdict.complaints == []


@pytest.mark.parametrize("twin", list(twins()))
@pytest.mark.sampled(5)
async def test_a_harmless_twin_converts(arena: Arena, twin: Twin) -> None:
    verdict = await arena.twin(twin)
    assert (verdict.answer, verdict.error) == (CONVERTED, "")
    if twin.words:
        assert any(twin.words.encode() in shape for shape in shapes(verdict.products[0].read_bytes()))
