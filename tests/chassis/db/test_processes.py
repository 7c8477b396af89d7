"""Several processes on one database."""

import asyncio
import json
import sys
from pathlib import Path

from filewright.chassis.db.database import Database
from filewright.chassis.testing.conformance.database import Note


async def run(script: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, Path(__file__).with_name(script), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_processes_that_claim_at_once_share_out_all_rows_without_a_busy_error(database, database_url):
    async with database.write() as session:
        session.add_all(Note(id=f"n{number:03}") for number in range(150))
    await database.close()
    outputs = await asyncio.gather(*(run("claimer.py", database_url, f"process{number}") for number in range(2)))
    claimed = [note for output in outputs for note in json.loads(output)]
    assert sorted(claimed) == [f"n{number:03}" for number in range(150)]


async def test_processes_that_open_a_new_database_at_once_all_can(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    first = [Database(url) for _ in range(6)]
    await asyncio.gather(*(database.ping() for database in first))
    await asyncio.gather(*(database.close() for database in first))
