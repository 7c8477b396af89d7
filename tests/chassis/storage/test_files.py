"""Files of the stores are closed whatever happens to who reads them."""

import asyncio
from contextlib import aclosing
from pathlib import Path

from filewright.chassis.storage.files import read_file


async def test_a_reader_that_is_cancelled_at_any_moment_leaves_no_file_open(tmp_path):
    path = tmp_path / "read.bin"
    path.write_bytes(bytes(1000))

    async def read() -> None:
        async with aclosing(read_file(path, block_bytes=100)) as blocks:
            async for _ in blocks:
                pass

    for turns in range(40):
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert path not in [link.resolve() for link in Path("/proc/self/fd").iterdir()]
