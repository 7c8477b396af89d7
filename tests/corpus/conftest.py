"""One real converter, or one running service, for the tests of this folder, and the cases that they run on.

The folder is imported as the package `corpus` from here on, so that tests and `scripts/corpus.py` share it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from pytest_asyncio import is_async_test

_TESTS = str(Path(__file__).resolve().parent.parent)
if _TESTS not in sys.path:
    sys.path.insert(0, _TESTS)

from corpus.bench import Bench, open_bench  # noqa: E402
from corpus.cases import Case, from_corpus  # noqa: E402
from corpus.samples import samples  # noqa: E402
from corpus.served import ServedBench, open_served_bench  # noqa: E402
from corpus.wanted import is_large  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`good` is a file that must convert, `bad` one that must be refused."""
    if "good" in metafunc.fixturenames:
        chosen = [case for case in all_cases() if not case.refused_for]
        marks = {True: [pytest.mark.slow(50)], False: []}
        metafunc.parametrize(
            "good", [pytest.param(case, id=case.name, marks=marks[is_large(case.facts)]) for case in chosen]
        )
    if "bad" in metafunc.fixturenames:
        chosen = [case for case in all_cases() if case.refused_for]
        metafunc.parametrize("bad", [pytest.param(case, id=case.name) for case in chosen])


def all_cases() -> Sequence[Case]:
    """The corpus where FILEWRIGHT_CORPUS names one, else small files made here."""
    folder = os.environ.get("FILEWRIGHT_CORPUS")
    return from_corpus(Path(folder)) if folder else samples()


@pytest.fixture(scope="session")
def cases() -> Sequence[Case]:
    return all_cases()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where samples are made, once each."""
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="session")
def served_at(chosen_shape: str, request: pytest.FixtureRequest) -> str | None:
    """Where a service of the chosen shape answers; None: the converter is used without any."""
    return request.getfixturevalue("whole_stack").url if chosen_shape == "distributed" else None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(served_at: str | None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench | ServedBench]:
    folder = tmp_path_factory.mktemp("jobs")
    async with open_bench(folder) if served_at is None else open_served_bench(served_at, folder) as opened:
        yield opened
