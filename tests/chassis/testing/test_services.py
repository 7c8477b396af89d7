"""Missing services are skipped or failed out loud, and private servers leave nothing behind."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from filewright.chassis.testing.fixtures import missing
from filewright.chassis.testing.servers.postgres import PrivatePostgres
from filewright.chassis.testing.servers.process import free_port


def config(services):
    return SimpleNamespace(getoption=lambda name: {"--services": services}[name])


def test_what_is_missing_is_skipped_with_its_reason():
    with pytest.raises(pytest.skip.Exception, match="apt-get install postgresql"):
        missing(config(False), "apt-get install postgresql")


def test_what_is_missing_fails_where_all_must_be_there():
    with pytest.raises(pytest.fail.Exception, match="apt-get install postgresql"):
        missing(config(True), "apt-get install postgresql")


@pytest.mark.postgres
def test_a_stopped_server_leaves_no_process_and_no_folder(postgres_server):
    server = PrivatePostgres()
    folder, process = server._process.folder, server._process._process
    server.stop()
    assert process.poll() is not None
    assert not Path(folder).exists()


def test_a_free_port_can_have_its_twin():
    assert free_port(10_000) + 10_000 < 50_000
