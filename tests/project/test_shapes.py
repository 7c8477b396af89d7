"""What is said to be about one process is there; and what starts a service speaks to either shape, or is said to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shapekit.one_process import ONE_PROCESS, reason_of

TESTS = Path(__file__).resolve().parents[1]
SPOKEN = ("converter/http", "converter/commands", "corpus", "e2e", "hostile")
STARTS = re.compile(r'EmbeddedService\.started|embedded\.serving\b|embedded import serving|"serve"|PACED_SERVICE\)')


@pytest.mark.parametrize("place", ONE_PROCESS)
def test_what_is_said_to_be_about_one_process_is_there(place):
    file, _, name = place.partition("::")
    text = (TESTS / file).read_text()
    assert not name or f"def {name}(" in text
    assert ONE_PROCESS[place]


def test_whoever_starts_a_service_speaks_to_either_shape_or_is_said_to_be_about_one_process():
    said = {place.partition("::")[0] for place in ONE_PROCESS}
    starting = {
        str(path.relative_to(TESTS))
        for folder in SPOKEN
        for path in (TESTS / folder).rglob("*.py")
        if STARTS.search(text := path.read_text()) and "chosen_shape" not in text
    }
    assert starting - said - {"converter/commands/service/test_roles.py"} == set(), (
        "the roles as they are started are its subject"
    )


@pytest.mark.parametrize(
    ("node", "fixtures", "meant"),
    [
        ("e2e/test_invoice.py::test_x", (), True),
        ("e2e/page/whole/test_breaks.py::test_x[a]", ("visits", "service"), True),
        ("e2e/page/whole/test_breaks.py::test_x", ("served",), False),
        ("converter/http/test_jobs.py::test_x", ("service",), False),
        ("e2e/test_memory.py::test_x", ("server",), True),
        ("hostile/test_server.py::test_x", ("server",), False),
    ],
)
def test_a_place_means_a_file_a_test_or_whoever_uses_a_fixture(node, fixtures, meant):
    assert (reason_of(node, fixtures) is not None) is meant
