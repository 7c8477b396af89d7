"""Engine files written by a test, engines made of them, and a whole conversion with these engines alone."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines.plugins.command import CommandEngine
from filewright.converter.engines.plugins.engine_files import read_engine
from filewright.converter.engines.port import Engine
from filewright.converter.engines.registry import Registry
from filewright.converter.formats.catalogue import forget_learned
from filewright.converter.tiers import LOCAL

Write = Callable[..., Path]
Scripted = Callable[..., CommandEngine]
ConvertWith = Callable[..., Awaitable[Converted]]


@pytest.fixture(autouse=True)
def _no_formats_stay() -> Iterator[None]:
    yield
    forget_learned()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "engines"
    made.mkdir(mode=0o755)
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """`write(text)` gives the path of an engine file with that text."""

    def written(text: str, name: str = "tool.yaml") -> Path:
        path = folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return written


@pytest.fixture
def scripted(write: Write) -> Scripted:
    """`scripted("a program in Python", source="png", …)`: an engine whose program runs that, with its paths as argv."""

    def made(program: str, *, name: str = "scripted", source: str = "txt", target: str = "json", **more: Any) -> Any:
        lines = {
            "engine": name,
            "program": sys.executable,
            "install": "pip install scripted",
            **{key: more.pop(key) for key in ("exits",) if key in more},
            "conversions": [
                {
                    "source": source,
                    "target": target,
                    "cost": 1,
                    "loss": "small",
                    "arguments": [
                        "-I",
                        "-c",
                        textwrap.dedent(program),
                        *more.pop("arguments", ["<input>", "<output>"]),
                    ],
                    **more,
                }
            ],
        }
        # Text of several lines is no argument that an engine file could hold, so the program gets it in one.
        lines["conversions"][0]["arguments"][2] = f"exec({textwrap.dedent(program)!r})"

        return read_engine(write(yaml.safe_dump(lines, width=10_000), f"{name}.yaml"))

    return made


@pytest.fixture
def convert_with(sandbox: Sandbox, jobs_dir: Path, tmp_path: Path) -> Iterator[ConvertWith]:
    """`await convert_with(engine, …, data=b"…", name="a.txt", to="json")`; the products last as long as the test."""
    numbers, opened = count(), list[Workspace]()

    async def carried_out(*engines: Engine, data: bytes, name: str, to: str, **more: Any) -> Converted:
        number = next(numbers)
        source = tmp_path / f"source-{number}"
        source.write_bytes(data)
        opened.append(Workspace.create(jobs_dir, f"{tmp_path.name}-with-{number}"))
        order = Assignment(source, name, to, more.pop("tier", LOCAL), **more)
        return await Converter(Registry(engines), sandbox).convert(order, workspace=opened[-1].path)

    yield carried_out
    for workspace in opened:
        workspace.remove()
