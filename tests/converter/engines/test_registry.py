from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from filewright.converter.engines.port import Availability, Conversion, Work
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import FORMATS


class Tool:
    def __init__(self, name: str, *, available: bool = True) -> None:
        self.name = name
        self.conversions: Sequence[Conversion] = (Conversion("md", "html", 1),)
        self.available = available
        self.asked = 0

    def check(self) -> Availability:
        self.asked += 1
        return Availability(self.available, "1.2" if self.available else "", "the tool", "apt-get install tool")

    async def convert(self, work: Work) -> Sequence[Path]:
        raise NotImplementedError


def test_only_what_is_installed_can_be_done() -> None:
    registry = Registry([Tool("here"), Tool("absent", available=False)])
    assert [name for name, _ in registry.abilities()] == ["here"]
    assert [name for name, _ in registry.declared()] == ["here", "absent"]
    assert [(row.engine, row.available, row.install) for row in registry.diagnose()][1] == (
        "absent",
        False,
        "apt-get install tool",
    )


def test_an_engine_is_asked_once_until_told_to_ask_again() -> None:
    tool = Tool("tool")
    registry = Registry([tool])
    assert [registry.version("tool") for _ in range(3)] == ["1.2"] * 3
    assert tool.asked == 1
    registry.refresh()
    registry.diagnose()
    assert tool.asked == 2


def test_two_engines_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="tool"):
        Registry([Tool("tool"), Tool("tool")])


def test_every_standard_engine_declares_what_the_catalogue_knows() -> None:
    for name, conversion in Registry(standard_engines()).declared():
        assert {conversion.source, conversion.target} <= set(FORMATS), (name, conversion)
        for option, schema in conversion.options.items():
            assert schema.get("description"), (name, option)
