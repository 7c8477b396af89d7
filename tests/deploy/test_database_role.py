"""The script that Compose gives to PostgreSQL's image makes the program an ordinary role, which policies bind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from filewright.chassis.db.database import Database
from filewright.chassis.testing.servers.postgres import PrivatePostgres
from filewright.converter.migrations import LOCATION


@pytest.mark.postgres
@pytest.mark.requirement("S2")
async def test_the_role_of_a_new_volume_is_bound_by_row_security(
    deploy: Path, postgres_server: PrivatePostgres
) -> None:
    reached = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres_server.port)}
    told = {"POSTGRES_USER": PrivatePostgres.KEEPER, "POSTGRES_PASSWORD": "it's secret"}
    script = deploy / "compose" / "postgres-role.sh"
    subprocess.run([script], env={**os.environ, **reached, **told}, check=True, capture_output=True)
    url = f"postgresql://filewright@127.0.0.1:{postgres_server.port}/filewright"
    database = Database(url)
    try:
        await database.migrate(LOCATION)
        kept = await database.row_security()
        assert kept is not None
        assert kept.in_force
    finally:
        await database.close()
    dump = ["pg_dump", "--data-only", url]
    assert b"row-level security" in subprocess.run(dump, check=False, capture_output=True).stderr
    everything = {**os.environ, "PGOPTIONS": "-c filewright.tenant=*"}
    subprocess.run([*dump, "--enable-row-security"], env=everything, check=True, capture_output=True)
    postgres_server.execute("DROP DATABASE filewright", "DROP ROLE filewright", keeper=True)
