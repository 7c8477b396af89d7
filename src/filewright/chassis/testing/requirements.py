"""A pytest plug-in: which requirement is proven by which test, written as JSON at the end of a run.

`@pytest.mark.requirement("D7", "S16")` names the ids. A test counts for its ids when it passed; a failed or skipped one
is listed as such, so that the page made from this file cannot claim what did not run.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

_RANK = {"failed": 2, "passed": 1, "skipped": 0}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--requirements-report FILE`."""
    parser.addoption("--requirements-report", metavar="FILE", help="write which requirement was proven by which test")


def pytest_configure(config: pytest.Config) -> None:
    """Start collecting, in the process that sees all reports."""
    path = config.getoption("--requirements-report")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Collector(Path(path)), "requirements-report")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hang the ids on the report, which is what travels between processes."""
    ids = [name for mark in item.iter_markers("requirement") for name in mark.args]
    if ids:
        item.user_properties.append(("requirements", ids))


class _Collector:
    """Gathers outcomes by requirement id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        ids = next((value for name, value in report.user_properties if name == "requirements"), [])
        if not ids or (report.when != "call" and report.outcome == "passed"):
            return
        for requirement in _as_list(ids):
            earlier = self._outcomes[requirement].get(report.nodeid, report.outcome)
            worst = max(earlier, report.outcome, key=lambda outcome: _RANK[outcome])
            self._outcomes[requirement][report.nodeid] = worst

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._outcomes, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _as_list(value: Any) -> list[str]:
    return [str(item) for item in value]
