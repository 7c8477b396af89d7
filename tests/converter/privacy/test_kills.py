"""Whoever erases is killed at every step. The next one finds the erasure and finishes it."""

import asyncio
from pathlib import Path

import pytest

from filewright.chassis.testing.modules import module_at
from filewright.converter.privacy import erasing

SCRIPT = Path(__file__).with_name("erasing_process.py")


@pytest.mark.requirement("F27", "F4", "S26")
@pytest.mark.parametrize(
    "point",
    [
        erasing.DELETED,
        pytest.param(erasing.SHREDDED, marks=pytest.mark.long),
        pytest.param(erasing.FORGOTTEN, marks=pytest.mark.long),
    ],
)
async def test_an_erasure_outlives_the_one_who_carries_it_out(point, tmp_path, warm):
    died = await asyncio.to_thread(warm.run, [str(SCRIPT), str(tmp_path), f"{point}=sigkill"])
    assert died.returncode == -9, f"{point} was never reached: {died.stderr.decode()[-500:]}"
    [ordered] = [word for word in died.stdout.decode().split() if word.startswith("ordered:")]
    ordered = ordered.removeprefix("ordered:")
    shop, erasures, keys = module_at(SCRIPT, "erasing_process").opened(tmp_path)
    try:
        assert not (await erasures.get(ordered)).done
        assert await erasures.run_once() == 1
        done = await erasures.get(ordered)
        assert done.certificate["statement"]["rows_deleted"]["jobs"] == 1
        assert await shop.objects() == []
        assert not await keys.exists("alice")
    finally:
        await shop.database.close()
