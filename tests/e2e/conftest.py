"""One real service for these tests, in the chosen shape, started as a person would and stopped as a person would."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shapekit.service import EmbeddedService, Service


@pytest.fixture(scope="session")
def served(
    chosen_shape: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    if chosen_shape == "distributed":
        yield request.getfixturevalue("whole_stack")
        return
    with EmbeddedService.started(tmp_path_factory.mktemp("served")) as service:
        yield service
