"""Five hundred readers in two processes, and one making for each key and each end of what was kept."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = [pytest.mark.redis, pytest.mark.requirement("G1", "G2", "G4")]
READER = Path(__file__).with_name("reader.py")
SOON = 120.0


@dataclass(frozen=True)
class Making:
    key: str
    value: str
    began: float
    ended: float


class Crowd:
    """Two processes with half of the readers each."""

    def __init__(self, processes, folder):
        self._processes = processes
        self._folder = folder

    async def tell(self, line):
        """Both do it at the same time; what their readers saw, together."""
        for process in self._processes:
            process.stdin.write(f"{line}\n".encode())
        answers = [await asyncio.wait_for(process.stdout.readline(), SOON) for process in self._processes]
        return sum((Counter(json.loads(answer)) for answer in answers), Counter())

    def makings(self, key):
        lines = (self._folder / "makings").read_text().splitlines()
        found = [Making(name, value, float(a), float(b)) for name, value, a, b in map(str.split, lines)]
        return sorted((one for one in found if one.key == key), key=lambda one: one.began)


@asynccontextmanager
async def crowd(server, folder, readers):
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(READER), server.url(), str(folder), name, str(readers // 2),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "other")
    ]  # fmt: skip
    try:
        yield Crowd(started, folder)
        for process in started:
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), SOON) == 0
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_of_five_hundred_readers_in_two_processes_one_makes_the_value(redis_server, tmp_path):
    async with crowd(redis_server, tmp_path, 500) as readers:
        for key in ("cold", "cold2", "cold3"):
            seen = await readers.tell(f"rush {key}")
            (making,) = readers.makings(key)
            assert seen == {making.value: 500}
        assert await readers.tell("rush cold") == {readers.makings("cold")[0].value: 500}  # kept

        await readers.tell("forget")  # near; the far value serves both
        assert await readers.tell("rush cold") == {readers.makings("cold")[0].value: 500}
        assert len(readers.makings("cold")) == 1

        await readers.tell("forget")  # near, and its end came far
        assert redis_server.do("DEL", "filewright:{rushed.1:cold}") == 1
        seen = await readers.tell("rush cold")
        assert len(readers.makings("cold")) == 2
        assert seen == {readers.makings("cold")[1].value: 500}


async def test_for_each_end_of_a_value_that_is_always_read_it_is_made_once(redis_server, tmp_path):
    """Kept for 1.8 s at least. Somebody begins before that, but hardly ever more than twenty times the cost before."""
    async with crowd(redis_server, tmp_path, 500) as readers:
        seen = await readers.tell("hold hot 3")
        makings = readers.makings("hot")
    assert set(seen) <= {making.value for making in makings}  # the last one may have come too late to be read
    assert len(seen) >= 2
    for one, following in pairwise(makings):
        assert following.began >= one.ended, "two made it at once"
        assert following.began - one.ended >= 1.8 - 20 * (one.ended - one.began), "it was made twice for one end"
