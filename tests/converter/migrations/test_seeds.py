"""Every column of the founding documents' tables is there, under the name that the design gave it."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from filewright.converter.migrations.tables import metadata

ADR = Path(__file__).parents[3] / "docs" / "adr" / "0013-what-became-of-the-first-tables.md"
JOBS = (
    "id status progress source_format destination_format input_file_path output_file_path error_message created_at "
    "updated_at user_id"
)
FILE_HASHES = "hash file_path file_size created_at usage_count"


def queries() -> list[str]:
    """The statements in the record of the decision."""
    found: list[str] = re.findall(r"```sql\n(.+?)```", ADR.read_text(encoding="utf-8"), re.DOTALL)
    return found


@pytest.mark.requirement("E1", "E2")
async def test_the_first_tables_can_be_read_from_those_there_are(shop, alice):
    """A job that has succeeded and one that has failed, seen with the eyes of the first design."""
    job = await shop.order(b"hello")
    await shop.work()
    jobs, hashes = queries()
    async with shop.database.read() as session:
        found = (await session.execute(text(jobs))).one()
        assert " ".join(found._fields) == JOBS
        assert tuple((await session.execute(text(hashes))).keys()) == tuple(FILE_HASHES.split())
    assert (found.id, found.status, found.progress, found.user_id) == (job.id, "succeeded", 100, alice.tenant)
    assert (found.source_format, found.destination_format) == ("txt", "md")
    assert found.input_file_path
    assert found.output_file_path.startswith(f"results/{job.id}/1/")
    assert found.error_message is None
    assert str(found.updated_at) > str(found.created_at)


@pytest.mark.requirement("E7")
def test_every_row_of_a_tenant_can_be_told_to_its_shard():
    """No key is counted up across tenants, so rows of two databases can be put together."""
    for name, table in metadata.tables.items():
        if "tenant" in table.columns:
            counted = [column.name for column in table.primary_key.columns if column.autoincrement is True]
            assert counted == [], name
