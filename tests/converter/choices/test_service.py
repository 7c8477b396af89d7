"""Counting choices and suggesting by them, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.converter.choices.models import ChoiceRow
from filewright.converter.choices.order import growth
from filewright.converter.choices.service import Choices

POSSIBLE = ("odt", "rtf", "txt", "html", "md", "epub", "pdf", "tex")


@pytest.fixture
def choices(database, clock) -> Choices:
    return Choices(database, clock)


def choose(choices, target, times=1, source="docx"):
    for _ in range(times):
        choices.count(source, target)


async def rows(database) -> int:
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(ChoiceRow))).scalar_one()


async def test_a_choice_is_suggested_at_once_and_written_later(choices, database):
    choose(choices, "tex", 20)
    assert choices.suggest("docx", POSSIBLE)[0] == "tex"
    assert await rows(database) == 0
    assert await choices.exchange_once() == 1
    assert await rows(database) == 1
    assert choices.suggest("docx", POSSIBLE)[0] == "tex"
    assert await choices.exchange_once() == 0


async def test_a_choice_is_for_its_source_alone(choices):
    choose(choices, "tex", 20)
    await choices.exchange_once()
    assert choices.suggest("odt", POSSIBLE)[0] != "tex"


async def test_the_next_process_knows_what_was_chosen_before(choices, database, clock):
    choose(choices, "tex", 20)
    await choices.close()
    after = Choices(database, clock)
    assert after.suggest("docx", POSSIBLE)[0] != "tex"
    await after.exchange_once()
    assert after.suggest("docx", POSSIBLE)[0] == "tex"


async def test_processes_that_count_at_once_lose_nothing(database, clock):
    several = [Choices(database, clock) for _ in range(4)]
    for one in several:
        for target in ("tex", "pdf", "md"):
            choose(one, target, 5)
    await asyncio.gather(*(one.exchange_once() for one in several))
    async with database.read() as session:
        weights = (await session.scalars(select(ChoiceRow.weight))).all()
    assert weights == [pytest.approx(20 * growth(clock.now()))] * 3


async def test_another_process_is_heard_of_within_a_minute(choices, database, clock):
    await choices.exchange_once()
    other = Choices(database, clock)
    choose(other, "tex", 20)
    await other.exchange_once()
    await choices.exchange_once()
    assert choices.suggest("docx", POSSIBLE)[0] != "tex"
    clock.move(60)
    await choices.exchange_once()
    assert choices.suggest("docx", POSSIBLE)[0] == "tex"


async def test_processes_that_share_the_orders_know_of_one_another_at_its_next_turn(database, clock):
    one, other = Choices(database, clock), Choices(database, clock)
    for process in (one, other):  # each has too few to turn the list over
        choose(process, "tex", 10)
        await process.exchange_once()
    clock.move(5)
    await one.exchange_once()
    assert [process.suggest("docx", POSSIBLE)[0] for process in (one, other)] == ["tex", "tex"]


async def test_what_is_chosen_no_more_fades_and_habits_come_back(choices, clock):
    choose(choices, "tex", 20)
    await choices.exchange_once()
    clock.move(timedelta(days=60).total_seconds())
    await choices.exchange_once()
    assert choices.suggest("docx", POSSIBLE)[0] == "pdf"
    assert "tex" in choices.suggest("docx", POSSIBLE), "a quarter of it is left"


async def test_new_choices_outweigh_old_ones(choices, clock):
    choose(choices, "tex", 40)
    await choices.exchange_once()
    clock.move(timedelta(days=90).total_seconds())
    choose(choices, "rtf", 15)
    await choices.exchange_once()
    found = choices.suggest("docx", POSSIBLE)
    assert found.index("rtf") < found.index("tex")


async def test_learning_that_is_off_counts_nothing_and_uses_nothing(choices, database, clock):
    choose(choices, "tex", 20)
    await choices.exchange_once()
    off = Choices(database, clock, learning=False)
    choose(off, "rtf", 20)
    assert await off.exchange_once() == 0
    await off.close()
    assert off.suggest("docx", POSSIBLE)[0] == "pdf"
    assert await rows(database) == 1


async def test_more_pairs_than_one_statement_takes_are_written(choices, database):
    for n in range(1201):
        choices.count("docx", f"t{n}")
    assert await choices.exchange_once() == 1201
    assert await rows(database) == 1201


async def test_a_count_that_could_not_be_written_is_kept(tmp_path, clock):
    from filewright.chassis.db.database import Database
    from filewright.converter.migrations import LOCATION

    folder = tmp_path / "later"
    database = Database(f"sqlite:///{folder / 'state.db'}", clock=clock)
    choices = Choices(database, clock)
    choose(choices, "tex", 20)
    with pytest.raises(DatabaseUnavailable):
        await choices.exchange_once()
    await choices.close()  # neither raises nor loses
    assert choices.suggest("docx", POSSIBLE)[0] == "tex"
    folder.mkdir()
    await database.migrate(LOCATION)
    assert await choices.exchange_once() == 1
    assert await rows(database) == 1
    await database.close()
