"""A budget is one, however many processes answer."""

from __future__ import annotations

import time
from itertools import cycle

import httpx
import pytest

NOT_THERE = {"inputs": [{"upload": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"}], "to": "pdf"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory, serve):
    """Four orders a minute, one each quarter of it."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "tiers.yaml").write_text("tiers:\n  anonymous:\n    conversions_per_minute: 4\n")
    settings = {"tiers_file": str(folder / "tiers.yaml"), "trusted_proxies": ("127.0.0.0/8",)}
    with serve(tmp_path_factory.mktemp("data"), as_set=True, settings=settings) as live:
        yield live


@pytest.mark.requirement("J2", "S13")
def test_four_orders_a_minute_are_four_whichever_process_is_asked(strict):
    began = time.monotonic()
    replicas = cycle([strict.url, *strict.replicas])
    answers = [httpx.post(f"{next(replicas)}/v1/jobs", json=NOT_THERE, timeout=30) for _ in range(12)]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {404, 429}
    assert statuses[:4] == [404] * 4
    assert statuses.count(404) <= 4 + (time.monotonic() - began) / 15
