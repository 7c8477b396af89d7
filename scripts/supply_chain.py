"""What is shipped that others made: refuse what is known to be unsafe, and list all of it.

    scripts/supply_chain.py --check          the locks against requirements/refused.toml; ends with 1 when they fail
    scripts/supply_chain.py --sbom           a bill of materials (CycloneDX 1.6, JSON) of requirements/run.txt

Every package of a lock is pinned by version and by digests. Engines that come from Debian are in the image's list by
name; Debian mends them without changing the version's first part, so the day of the build says more of them than a
number, and the image is built anew with every release.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
REFUSED = ROOT / "requirements" / "refused.toml"
LOCKS = (ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt")


@dataclass(frozen=True)
class Pinned:
    """One package of a lock."""

    name: str
    version: str
    digests: tuple[str, ...]


def pinned(lock: str) -> Iterator[Pinned]:
    """All that a lock names. Raises ValueError for what is not pinned by version and digest."""
    for entry in lock.replace("\\\n", " ").splitlines():
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        named, *digests = entry.split("--hash=sha256:")
        wanted = Requirement(named.strip())
        versions = [one.version for one in wanted.specifier if one.operator == "=="]
        if len(versions) != 1 or not digests:
            raise ValueError(f"{wanted.name} is not pinned by version and digest")
        yield Pinned(canonicalize_name(wanted.name), versions[0], tuple(digest.strip() for digest in digests))


def complaints(packages: Iterable[Pinned], rules: dict[str, list[dict[str, object]]], today: date) -> list[str]:
    """What is wrong with them, in sentences."""
    found, packages = [], list(packages)
    for rule in rules.get("refused", []):
        refused = SpecifierSet(str(rule["versions"]), prereleases=True)
        for package in packages:
            if package.name == canonicalize_name(str(rule["package"])) and Version(package.version) in refused:
                found += _unless_excepted(package, str(rule["why"]), rules.get("exception", []), today)
    return found


def _unless_excepted(package: Pinned, why: str, exceptions: list[dict[str, object]], today: date) -> list[str]:
    for exception in exceptions:
        if (exception["package"], exception["version"]) == (package.name, package.version):
            until = exception["until"]
            if not isinstance(until, date) or not exception.get("why"):
                return [f"the exception for {package.name} needs a day and a reason"]
            if today <= until:
                return []
            return [f"{package.name} {package.version} was excepted until {until}: {why}"]
    return [f"{package.name} {package.version} is refused: {why}"]


def bill(packages: Iterable[Pinned], version: str, made: datetime) -> dict[str, object]:
    """The bill of materials, in the words of CycloneDX."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "name": "filewright", "version": version},
        },
        "components": [
            {
                "type": "library",
                "name": package.name,
                "version": package.version,
                "purl": f"pkg:pypi/{package.name}@{package.version}",
                "bom-ref": f"pkg:pypi/{package.name}@{package.version}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.digests],
            }
            for package in packages
        ]
        + [{"type": "application", "name": name, "bom-ref": f"pkg:deb/debian/{name}", "purl": f"pkg:deb/debian/{name}"}
           for name in debian_packages()],
    }  # fmt: skip


def debian_packages() -> list[str]:
    """The programs that engines start, as the image and `scripts/bootstrap` install them."""
    text = (ROOT / "scripts" / "bootstrap").read_text(encoding="utf-8")
    (listed,) = re.findall(r'^run_packages="([^"]*)"', text, re.MULTILINE)
    return sorted(listed.split())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true")
    what.add_argument("--sbom", action="store_true")
    if parser.parse_args().sbom:
        from filewright import __version__

        packages = pinned(LOCKS[0].read_text(encoding="utf-8"))
        json.dump(bill(packages, __version__, datetime.now(UTC)), sys.stdout, indent=2)
        return 0
    rules = tomllib.loads(REFUSED.read_text(encoding="utf-8"))
    wrong = {
        complaint
        for lock in LOCKS
        for complaint in complaints(pinned(lock.read_text(encoding="utf-8")), rules, datetime.now(UTC).date())
    }
    print("\n".join(sorted(wrong)), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
