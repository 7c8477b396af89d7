"""What every engine's tests share: one real sandbox, and `convert`, which carries one conversion out in it.

    async def test_a_page_becomes_a_document(convert):
        [product] = await convert(Pandoc(), b"<h1>Hello</h1>", "html", "docx")

The sandbox is that of `sandboxkit`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.sandbox.port import Limits, Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.engines.libreoffice_office import ColdOffice, Order
from filewright.converter.engines.port import Engine, Work
from filewright.converter.formats.catalogue import FORMATS

Convert = Callable[..., Awaitable[list[Path]]]
LIMITS = Limits(wall_seconds=90, memory_bytes=2 << 30)


@pytest.fixture
def convert(sandbox: Sandbox, jobs_dir: Path, tmp_path: Path) -> Convert:
    """`await convert(engine, source, source_format, target, options=…, password=…)` gives the products, in order.

    `source` is a path or the bytes themselves. Options are given as a checked order would have them: defaults of the
    conversion's schema are filled in. The products are copied out of the workspace, which is gone afterwards. More
    keywords (`limits`, `on_progress`, `cancel`, `max_pixels`, `max_pages`) go to the `Work`.
    """
    count = 0

    async def carry_out(
        engine: Engine,
        source: Path | bytes,
        source_format: str,
        target: str,
        options: Mapping[str, Any] | None = None,
        password: str | None = None,
        **more: Any,
    ) -> list[Path]:
        nonlocal count
        count += 1
        conversion = next(c for c in engine.conversions if (c.source, c.target) == (source_format, target))
        assert set(options or {}) <= set(conversion.options), "an option that the conversion does not declare"
        defaults = {name: schema["default"] for name, schema in conversion.options.items() if "default" in schema}
        kept = tmp_path / f"products-{count}"
        with Workspace.create(jobs_dir, f"{tmp_path.name}-{count}") as workspace:
            given = workspace.path / "in" / f"input.{FORMATS[source_format].extension}"
            given.write_bytes(_bytes_of(source))
            work = Work(
                source=given,
                workspace=workspace.path,
                conversion=conversion,
                sandbox=sandbox,
                options={**defaults, **(options or {})},
                password=password,
                **{"limits": LIMITS, **more},
            )
            products = list(await engine.convert(work))
            assert products, "an engine gives at least one product, or raises"
            assert all(product.is_relative_to(work.out) for product in products), "products stay in out/"
            shutil.copytree(work.out, kept)
            return [kept / product.relative_to(work.out) for product in products]

    return carry_out


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the documents for which LibreOffice is started anew."""
    started: list[str] = []
    in_earnest = ColdOffice.convert

    async def noted(self: ColdOffice, work: Work, order: Order) -> Any:
        started.append(order.document.name)
        return await in_earnest(self, work, order)

    monkeypatch.setattr(ColdOffice, "convert", noted)
    return started


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real files; the test is skipped where `FILEWRIGHT_CORPUS` does not name it."""
    if "FILEWRIGHT_CORPUS" not in os.environ:
        pytest.skip("FILEWRIGHT_CORPUS names no corpus")
    return Path(os.environ["FILEWRIGHT_CORPUS"])


@pytest.fixture(scope="session")
def corpus_facts(corpus: Path) -> Callable[..., Iterator[tuple[Path, str, dict[str, Any]]]]:
    """`corpus_facts(family, {suffix: format})` gives path, format and facts of each file that must convert."""
    manifest = json.loads((corpus / "manifest.json").read_text())

    def facts(family: str, formats: Mapping[str, str]) -> Iterator[tuple[Path, str, dict[str, Any]]]:
        for entry in manifest["files"]:
            path = corpus / entry["path"]
            if entry["family"] == family and entry["expectation"] == "converts" and path.suffix in formats:
                yield path, formats[path.suffix], entry["facts"]

    return facts


def _bytes_of(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()
