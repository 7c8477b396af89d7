"""Nothing is shipped that is known to be unsafe, and of all that is shipped there is a list."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from filewright.chassis.testing.modules import module_at

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.requirement("S40")
TODAY = date(2026, 11, 22)
UNSAFE = "weasyprint==69.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture(scope="module")
def chain():
    return module_at(ROOT / "scripts" / "supply_chain.py", "supply_chain")


@pytest.fixture(scope="module")
def rules(chain):
    return tomllib.loads(chain.REFUSED.read_text(encoding="utf-8"))


def test_the_locks_hold_nothing_that_is_refused(chain, rules):
    for lock in chain.LOCKS:
        packages = list(chain.pinned(lock.read_text(encoding="utf-8")))
        assert len(packages) > 50
        assert chain.complaints(packages, rules, datetime.now(UTC).date()) == []


@pytest.mark.parametrize("locked", ["weasyprint==69.0", "python_multipart==0.0.20", "python-jose==3.5.0"])
def test_a_version_that_is_refused_is_named_with_the_reason(chain, rules, locked):
    package = chain.pinned(f"{locked} --hash=sha256:{'0' * 64}\n")
    [complaint] = chain.complaints(package, rules, TODAY)
    assert "CVE" in complaint


def test_an_exception_holds_to_its_day_and_not_longer(chain, rules):
    until = {"package": "weasyprint", "version": "69.0", "until": TODAY, "why": "no engine opens pages yet"}
    excepted = {**rules, "exception": [until]}
    assert chain.complaints(chain.pinned(UNSAFE), excepted, TODAY) == []
    [over] = chain.complaints(chain.pinned(UNSAFE), excepted, date(2026, 11, 23))
    assert "until 2026-11-22" in over
    timeless = {**rules, "exception": [{**until, "until": "some day"}]}
    assert chain.complaints(chain.pinned(UNSAFE), timeless, TODAY) == [
        "the exception for weasyprint needs a day and a reason"
    ]


@pytest.mark.parametrize("line", ["pillow>=12", "pillow==12.0.0", "pillow --hash=sha256:00"])
def test_what_is_not_pinned_by_version_and_digest_is_refused(chain, line):
    with pytest.raises(ValueError, match="not pinned"):
        list(chain.pinned(line + "\n"))


def test_the_bill_of_materials_has_every_package_with_its_digests_and_every_engine(chain):
    packages = list(chain.pinned(chain.LOCKS[0].read_text(encoding="utf-8")))
    made = chain.bill(packages, "1.2.3", datetime(2026, 11, 22, tzinfo=UTC))
    components = {part["name"]: part for part in made["components"]}
    assert set(components) == {package.name for package in packages} | set(chain.debian_packages())
    assert all(components[package.name]["hashes"] for package in packages)
    assert (made["bomFormat"], made["metadata"]["timestamp"]) == ("CycloneDX", "2026-11-22T00:00:00Z")
