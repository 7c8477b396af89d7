from __future__ import annotations

import asyncio
import os

from hypothesis import given
from hypothesis import strategies as st

from filewright.chassis.sandbox.streams import Lines, Reader, Writer


@given(st.lists(st.binary(max_size=20) | st.just(b"\n"), max_size=20))
def test_lines_do_not_depend_on_how_the_bytes_arrive(pieces: list[bytes]) -> None:
    seen: list[bytes] = []
    lines = Lines(seen.append)
    for piece in pieces:
        lines.feed(piece)
    lines.flush()
    whole = b"".join(pieces).split(b"\n")
    assert seen == (whole if whole[-1] else whole[:-1])


def test_a_line_without_end_is_given_out_in_pieces() -> None:
    seen: list[bytes] = []
    lines = Lines(seen.append, longest=10)
    for _ in range(5):
        lines.feed(b"abcd")
    assert b"".join(seen) == b"abcdabcdabcd"


async def test_a_reader_keeps_no_more_than_its_limit_and_tells_once() -> None:
    read_end, write_end = os.pipe()
    told: list[str] = []
    reader = Reader(read_end, limit=5, on_excess=lambda: told.append("excess"))
    os.write(write_end, b"123456789")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    os.close(write_end)
    reader.finish()
    assert (reader.data, told) == (b"12345", ["excess"])


async def test_what_a_dead_writer_left_in_the_pipe_is_still_read() -> None:
    read_end, write_end = os.pipe()
    reader = Reader(read_end)
    os.write(write_end, b"last words")
    os.close(write_end)
    reader.finish()
    assert reader.data == b"last words"


async def test_a_writer_gives_up_quietly_when_nobody_reads() -> None:
    read_end, write_end = os.pipe()
    writer = Writer(write_end, b"x" * 10_000_000)
    os.close(read_end)
    await asyncio.sleep(0.01)
    writer.close()
