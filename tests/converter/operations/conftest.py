"""What the tests of operations share: one real sandbox, and `operate`, which carries an order out in it.

    async def test_pages_are_turned(operate):
        [product] = await operate("rotate", [letter], options={"degrees": 90})

It goes the way of every order: inspection, choice, operator, checks.
"""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Converted, Product
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.operations.chains import Operations
from filewright.converter.operations.orders import Given, OrderedStep, Task
from filewright.converter.operations.registry import Operators
from filewright.converter.operations.standard import standard_operators
from filewright.converter.tiers import LOCAL

Operate = Callable[..., Awaitable[tuple[Product, ...]]]
CarryOut = Callable[..., Awaitable[Converted]]


@pytest.fixture(scope="session")
def operations(sandbox: Sandbox) -> Operations:
    """Everything that is installed here."""
    converter = Converter(Registry(standard_engines()), sandbox)
    return Operations(Operators(standard_operators()), converter, sandbox)


@pytest.fixture
def carry_out(operations: Operations, new_workspace: Callable[[], Path]) -> CarryOut:
    """`await carry_out([path, …], [OrderedStep(…), …], password=…, tier=…)` gives what was converted."""

    async def go(sources: Sequence[Path], steps: Sequence[OrderedStep], **more: Any) -> Converted:
        hooks = {name: more.pop(name) for name in ("on_stage", "on_progress", "cancel") if name in more}
        inputs = tuple(Given(source, source.name) for source in sources)
        task = Task(inputs, tuple(steps), **{"tier": LOCAL, **more})
        return await operations.carry_out(task, workspace=new_workspace(), **hooks)

    return go


@pytest.fixture
def operate(carry_out: CarryOut) -> Operate:
    """`await operate(operation, [path, …], to=…, options=…)` gives the products of one operation."""

    async def go(
        operation: str,
        sources: Sequence[Path],
        to: str | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> tuple[Product, ...]:
        converted = await carry_out(sources, [OrderedStep(operation, to, options or {})], **more)
        return converted.products

    return go


@pytest.fixture
def operate_on(operate: Operate, tmp_path: Path) -> Operate:
    """`operate` for files of a format that are bytes or paths, one or a list: `operate_on("rotate", photo, "jpg")`.

    `names` is what the user calls them. Without a format, a path is taken as it is.
    """
    count = 0

    async def go(
        operation: str,
        sources: Path | bytes | list[Path | bytes],
        source_format: str,
        to: str | None = None,
        options: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
        **more: Any,
    ) -> tuple[Product, ...]:
        nonlocal count
        count += 1
        given = []
        for number, source in enumerate(sources if isinstance(sources, list) else [sources]):
            name = names[number] if names else f"given.{FORMATS[source_format].extension}"
            path = tmp_path / f"given-{count}" / str(number) / name
            path.parent.mkdir(parents=True)
            path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
            given.append(path)
        return await operate(operation, given, to, options, **more)

    return go


@pytest.fixture
def made_of(operate_on: Operate) -> Callable[..., Awaitable[list[Path]]]:
    """The products of `operate_on` as paths, in order."""

    async def go(*order: Any, **more: Any) -> list[Path]:
        return [product.path for product in await operate_on(*order, **more)]

    return go


@pytest.fixture(scope="session")
def a_film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`a_film("mp4")` is one second of moving bars with a tone and a title, made once."""
    folder = tmp_path_factory.mktemp("films")

    def made(kind: str) -> Path:
        path = folder / f"film.{kind}"
        if not path.exists():
            subprocess.run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1",
                 "-f", "lavfi", "-i", "sine=frequency=440:duration=1", "-metadata", "title=A secret place",
                 "-shortest", path],
                check=True, timeout=60,
            )  # fmt: skip
        return path

    return made


@pytest.fixture(scope="session")
def a_sound(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`a_sound("mp3", "-b:a", "256k")` is two seconds of a stereo tone with a title."""
    folder = tmp_path_factory.mktemp("sounds")

    def made(kind: str, *settings: str) -> Path:
        path = folder / f"sound{'-'.join(settings).replace('/', '')}.{kind}"
        if not path.exists():
            subprocess.run(
                ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-ac", "2",
                 "-metadata", "title=A secret place", *settings, path],
                check=True, timeout=60,
            )  # fmt: skip
        return path

    return made
