"""A missing program is named with the line that installs it."""

from __future__ import annotations

import pytest

from filewright.stack import ports
from filewright.stack.errors import ProgramMissing
from filewright.stack.programs import POSTGRES, Program, check, path_of


def test_all_that_is_missing_is_said_at_once():
    wanted = [Program("no-such-server", package="no-such"), Program("nor-this", package="", wheel="nor-this-bin")]
    with pytest.raises(ProgramMissing) as raised:
        check(wanted)
    said = str(raised.value)
    assert "no-such-server, nor-this" in said
    assert "sudo apt-get install -y --no-install-recommends no-such\n" in said
    assert said.endswith("-m pip install nor-this-bin")


def test_data_of_another_postgresql_asks_for_that_one():
    with pytest.raises(ProgramMissing, match="postgresql-9"):
        path_of(POSTGRES, "9")


def test_ports_are_kept_and_new_ones_differ():
    first = ports.choose({}, ["a", "b", "s3-admin"])
    more = ports.choose(first, ["a", "b", "s3-admin", "c"])
    assert first.items() <= more.items()
    assert len(set(more.values())) == 4
