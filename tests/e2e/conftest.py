"""One real service for these tests, in the chosen shape, started as a person would and stopped as a person would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from shapekit.service import EmbeddedService, Service

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
"""Without windows, menus and extensions a page costs half the processor time. What it draws is the same."""
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(
    chosen_shape: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    if chosen_shape == "distributed":
        yield request.getfixturevalue("whole_stack")
        return
    with EmbeddedService.started(tmp_path_factory.mktemp("served")) as service:
        yield service
