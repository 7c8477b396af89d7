"""Programs that answer several calls: whose files they see, when they end, and what they can not do to us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.sandbox.helpers import Helper, HelperFailed, Helpers, Terms
from filewright.chassis.sandbox.port import Ending, PythonCall, SandboxLevel
from filewright.chassis.sandbox.runner import LocalSandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import LIMITS, python, sandbox_of

SERVE = PythonCall("filewright.chassis.sandbox.helping:serve")
FUNCTIONS = "filewright.chassis.testing.sandboxed"

Open = Callable[..., Helpers]


@pytest.fixture
async def helpers_of(strong_sandbox: LocalSandbox, jobs_dir: Path) -> AsyncIterator[Open]:
    made: list[Helpers] = []

    def opened(**terms: Any) -> Helpers:
        made.append(Helpers(strong_sandbox, jobs_dir, lambda: SERVE, Terms(**{"calls": 10, **terms})))
        return made[-1]

    yield opened
    for helpers in made:
        await helpers.close()
    await strong_sandbox.cool_down()
    assert list(jobs_dir.iterdir()) == []


async def asked(
    helpers: Helpers, name: str, party: str | None = "one", files: dict[str, Path] | None = None, **arguments: Any
) -> Any:
    async with helpers.lent(party) as helper:
        said = await helper.ask({"function": f"{FUNCTIONS}:{name}", "arguments": arguments}, files or {}, seconds=30)
    return {key: value for key, value in said.items() if key != "memory"}


async def gone(directory: Path) -> None:
    """Return when nothing is left in there of what was there in the beginning but a warm parent's."""
    async with asyncio.timeout(30):
        while any(not path.name.startswith(".warm") for path in directory.iterdir()):
            await asyncio.sleep(0.01)


async def test_calls_of_one_party_go_to_one_process_and_each_sees_its_own_files_only(
    helpers_of: Open, tmp_path: Path
) -> None:
    helpers = helpers_of()
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("2")
    process = await asked(helpers, "process")
    assert await asked(helpers, "given", files={"a.txt": first}) == {"value": {"a.txt": "1"}}
    assert await asked(helpers, "given", files={"b.txt": second}) == {"value": {"b.txt": "2"}}
    assert await asked(helpers, "process") == process


async def test_products_are_copied_out(helpers_of: Open, tmp_path: Path) -> None:
    async with helpers_of().lent("one") as helper:
        order = {"function": f"{FUNCTIONS}:given", "arguments": {}}
        await helper.ask(order, {}, seconds=30, out=tmp_path, most_bytes=4)
        assert (tmp_path / "made").read_text() == "made"
        with pytest.raises(HelperFailed) as failure:
            await helper.ask(order, {}, seconds=30, out=tmp_path, most_bytes=3)
        assert failure.value.ending is Ending.WRITE_LIMIT


async def test_what_a_function_raises_is_an_answer_and_the_next_call_is_served(helpers_of: Open) -> None:
    helpers = helpers_of()
    process = await asked(helpers, "process")
    assert await asked(helpers, "refuse", code="corrupt_input") == {"refusal": "corrupt_input"}
    assert "surprise" in (await asked(helpers, "fail"))["error"]
    assert await asked(helpers, "process") == process


async def test_another_party_gets_a_process_that_has_seen_nothing(helpers_of: Open) -> None:
    helpers = helpers_of(idle=2)
    of_one, of_two = await asked(helpers, "process", "one"), await asked(helpers, "process", "two")
    assert of_one != of_two
    assert await asked(helpers, "process", "one") == of_one
    assert await asked(helpers, "process", "two") == of_two


async def test_of_those_that_wait_the_longest_waiting_one_makes_room(helpers_of: Open) -> None:
    helpers = helpers_of(idle=1)
    of_one, of_two = await asked(helpers, "process", "one"), await asked(helpers, "process", "two")
    assert await asked(helpers, "process", "two") == of_two
    assert await asked(helpers, "process", "one") != of_one


async def test_it_serves_no_more_calls_than_agreed(helpers_of: Open) -> None:
    helpers = helpers_of(calls=2)
    seen = [(await asked(helpers, "process"))["value"] for _ in range(4)]
    assert [seen[0] == seen[1], seen[1] == seen[2], seen[2] == seen[3]] == [True, False, True]


async def test_two_calls_at_once_have_two_processes(helpers_of: Open) -> None:
    helpers = helpers_of()
    one, other = await asyncio.gather(asked(helpers, "process"), asked(helpers, "process"))
    assert one != other


async def test_one_that_nobody_needs_ends_by_itself(helpers_of: Open, jobs_dir: Path) -> None:
    helpers = helpers_of(idle_seconds=0.2)
    process = await asked(helpers, "process")
    await gone(jobs_dir)
    assert await asked(helpers, "process") != process


async def test_one_that_has_grown_is_not_used_again(helpers_of: Open) -> None:
    helpers = helpers_of(growth_bytes=0)
    process = await asked(helpers, "process")
    await asked(helpers, "eat", megabytes=8)
    assert await asked(helpers, "process") != process


@pytest.mark.parametrize(
    ("name", "seconds", "ending"),
    [("die", 30, Ending.CRASHED), ("leave", 30, Ending.CRASHED), ("spin", 0.3, Ending.WALL_LIMIT)],
)
async def test_whatever_ends_it_the_next_call_has_a_new_one(
    helpers_of: Open, name: str, seconds: float, ending: Ending
) -> None:
    helpers = helpers_of()
    process = await asked(helpers, "process")
    with pytest.raises(HelperFailed) as failure:
        async with helpers.lent("one") as helper:
            await helper.ask({"function": f"{FUNCTIONS}:{name}", "arguments": {}}, {}, seconds=seconds)
    assert failure.value.ending is ending
    assert await asked(helpers, "process") != process


async def test_a_cancelled_call_leaves_nothing(helpers_of: Open, jobs_dir: Path) -> None:
    helpers = helpers_of()
    await asked(helpers, "process")
    task = asyncio.create_task(asked(helpers, "sleep", seconds=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(jobs_dir)


LED_AWAY = """
import os
elsewhere = ELSEWHERE
answers = open("answers", "w", buffering=1)
print('{"ready": true}', file=answers)
for order in open("orders"):
    os.rename("in", "old in")
    os.rename("out", "old out")
    os.symlink(elsewhere, "in")
    os.symlink(elsewhere, "out")
    with open("old out/first.txt", "w") as product:
        product.write("made")
    os.symlink(f"{elsewhere}/secret.txt", "old out/link.txt")
    print('{"opened": true}', file=answers)
    while os.listdir("old in"):
        pass
    os.symlink(f"{elsewhere}/second.txt", "old in/second.txt")
    os.mkdir("told")
"""


async def test_one_that_was_taken_over_leads_us_nowhere(tmp_path: Path, jobs_dir: Path) -> None:
    sandbox = sandbox_of(SandboxLevel.ISOLATED, jobs_dir)
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (elsewhere / "secret.txt").write_text("secret")
    place = Workspace.create(jobs_dir)
    helper = Helper(sandbox, place, python(f"ELSEWHERE = {str(elsewhere)!r}\n{LED_AWAY}"), LIMITS)
    try:
        await helper.until_ready()
        for name in ("first.txt", "second.txt"):
            (tmp_path / name).write_text(name)
        await helper.ask({}, {"first.txt": tmp_path / "first.txt"}, seconds=30, out=out, most_bytes=100)
        assert [(path.name, path.read_text()) for path in out.iterdir()] == [("first.txt", "made")]
        async with asyncio.timeout(30):
            while not (place.path / "told").exists():
                await asyncio.sleep(0.01)
        with pytest.raises(HelperFailed):
            await helper.ask({}, {"second.txt": tmp_path / "second.txt"}, seconds=30, out=out, most_bytes=100)
    finally:
        await helper.stop()
        await sandbox.close()
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("secret.txt", "secret")]
