"""Products that are opened one after the other by the same child: what is said of them, and of whom it may be said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from filewright.chassis.sandbox.helpers import Helper
from filewright.chassis.sandbox.port import Limits, Program, SandboxLevel
from filewright.chassis.sandbox.runner import LocalSandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import sandbox_of
from filewright.converter.conversion import checks
from filewright.converter.conversion.looks import Looks
from filewright.converter.errors import OutputInvalid

PICTURE = {"width": 3, "height": 2}


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    return (tmp_path / "jobs").resolve()


@pytest_asyncio.fixture(loop_scope="session")
async def boundary(jobs: Path) -> AsyncIterator[LocalSandbox]:
    made = sandbox_of(SandboxLevel.ISOLATED, jobs)
    yield made
    await made.close()
    assert list(jobs.iterdir()) == []


@pytest_asyncio.fixture(loop_scope="session")
async def looks(boundary: LocalSandbox, jobs: Path) -> AsyncIterator[Looks]:
    made = Looks(boundary, jobs, products=10)
    yield made
    await made.close()


@pytest.fixture
def runs(boundary: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that children of the sandbox were made for."""
    seen: list[str] = []
    in_earnest = boundary.run

    async def noted(program: Program, **more: object) -> object:
        seen.append(program.function.rpartition(":")[2])  # type: ignore[union-attr]
        return await in_earnest(program, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(boundary, "run", noted)
    return seen


async def looked_at(looks: Looks, jobs: Path, party: str = "one", data: bytes | None = None) -> object:
    """What is said of a picture, or of a file that is to be one."""
    with Workspace.create(jobs) as workspace:
        product = workspace.out / "output.png"
        if data is None:
            Image.new("RGB", (3, 2)).save(product)
        else:
            product.write_bytes(data)
        sight = checks.Sight(looks, workspace.path, Limits(wall_seconds=30), party)
        return await checks.probe([product], "png", sight)


async def test_products_of_one_party_are_opened_by_one_child(looks: Looks, jobs: Path, runs: list[str]) -> None:
    assert [await looked_at(looks, jobs) for _ in range(3)] == [[PICTURE]] * 3
    assert runs == ["serve"]


async def test_no_child_sees_products_of_two(looks: Looks, jobs: Path, runs: list[str]) -> None:
    for party in ("one", "two", "one", "two"):
        assert await looked_at(looks, jobs, party) == [PICTURE]
    assert runs == ["serve", "serve"]


async def test_what_belongs_to_nobody_in_particular_has_a_child_each(looks: Looks, jobs: Path, runs: list[str]) -> None:
    for _ in range(2):
        assert await looked_at(looks, jobs, party="") == [PICTURE]
    assert runs == ["probe", "probe"]


async def test_a_broken_product_is_broken_for_a_child_that_has_seen_nothing_too(
    looks: Looks, jobs: Path, runs: list[str]
) -> None:
    with pytest.raises(OutputInvalid):
        await looked_at(looks, jobs, data=b"no picture")
    assert runs == ["serve", "probe"]
    assert await looked_at(looks, jobs) == [PICTURE]
    assert runs == ["serve", "probe"]


async def test_a_product_on_which_it_dies_is_opened_by_another(
    looks: Looks, jobs: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await looked_at(looks, jobs)
    in_earnest = Helper.ask

    async def dying(self: Helper, order: dict[str, object], given: dict[str, Path], **more: object) -> object:
        order = {"function": "filewright.chassis.testing.sandboxed:die", "arguments": {}}
        return await in_earnest(self, order, given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Helper, "ask", dying)
    assert await looked_at(looks, jobs) == [PICTURE]
    assert runs == ["serve", "probe"]


async def test_a_large_product_is_not_copied_for_it(
    looks: Looks, jobs: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filewright.converter.conversion.looks._LARGEST", 10)
    assert await looked_at(looks, jobs) == [PICTURE]
    assert runs == ["probe"]


async def test_it_is_led_to_no_file_by_a_link(looks: Looks, jobs: Path, tmp_path: Path, runs: list[str]) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (9, 9)).save(secret)
    with Workspace.create(jobs) as workspace:
        product = workspace.out / "output.png"
        product.symlink_to(secret)
        sight = checks.Sight(looks, workspace.path, Limits(wall_seconds=30), "one")
        with pytest.raises(OutputInvalid):
            await checks.probe([product], "png", sight)


@pytest.mark.parametrize(("password", "asked"), [(None, ["serve"]), ("secret", ["compare_pages"])])
async def test_a_password_is_told_to_no_child_that_outlives_its_look(
    looks: Looks, jobs: Path, runs: list[str], password: str | None, asked: list[str]
) -> None:
    with Workspace.create(jobs) as workspace:
        product, original = workspace.out / "output.pdf", workspace.inputs / "input.pdf"
        for path in (product, original):
            Image.new("RGB", (30, 20)).save(path)
        sight = checks.Sight(looks, workspace.path, Limits(wall_seconds=30), "one")
        sheets, fidelity = await checks.probe_pages_beside(
            product, [original], sight, password=password, seconds=5.0, looks=False
        )
    assert (sheets, runs) == ([{"pages": 1}], asked)
    assert fidelity is not None
    assert fidelity.pages == 1


async def test_by_default_each_has_a_child(boundary: LocalSandbox, jobs: Path, runs: list[str]) -> None:
    for _ in range(2):
        assert await looked_at(Looks(boundary), jobs) == [PICTURE]
    assert runs == ["probe", "probe"]
