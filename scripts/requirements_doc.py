"""Write docs/requirements.md from what a test run proved, or with --check fail when it claims what failed.

Ids are those of docs/requirements.tsv. `B1` to `B12` name queue requirements and bad inputs both; tests of engines, of
the sandbox and of hostile files mean the bad input, written `BI1`. Those of security, `S1` on, have their place in
docs/security.md too: `security_doc.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BAD_INPUT_TESTS = ("tests/converter/engines", "tests/chassis/sandbox", "tests/hostile", "tests/corpus")
PAGE = ROOT / "docs" / "requirements.md"


def catalogue() -> dict[str, str]:
    lines = (ROOT / "docs" / "requirements.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines)


def outcomes(paths: list[Path]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        for requirement, tests in json.loads(path.read_text(encoding="utf-8")).items():
            for test, outcome in tests.items():
                found.setdefault(canonical(requirement, test), {})[test] = outcome
    return found


def canonical(requirement: str, test: str) -> str:
    """`BI9` for bad input 9, which tests write as `B9` like the queue requirement of that number."""
    letter, number = requirement[0], requirement[1:]
    if letter != "B" or not number.isdigit():
        return requirement
    return f"BI{number}" if int(number) > 12 or test.startswith(BAD_INPUT_TESTS) else requirement


def functions(tests: dict[str, str], outcome: str) -> list[str]:
    """Names of test functions, without the parameters of each case."""
    named = {re.sub(r"\[.*$", "", test) for test, result in tests.items() if result == outcome}
    return sorted(named)


def status(tests: dict[str, str]) -> str:
    if not tests or not functions(tests, "passed"):
        return "not yet"
    return "in part" if functions(tests, "failed") else "proven here"


def page(found: dict[str, dict[str, str]]) -> str:
    titles = catalogue()
    proven = [name for name in titles if status(found.get(name, {})) == "proven here"]
    lines = [
        "# Requirements, and what proves them",
        "",
        "<!-- Made by scripts/requirements_doc.py from a test run; nobody edits it. -->",
        "",
        "*Proven here*: tests that carry the id ran and passed, on real parts. It says that the behaviour named by",
        "those tests holds, not that all of a broad requirement is done. *Not yet*: no test carries the id.",
        "",
        f"{len(proven)} of {len(titles)} ids are carried by a passing test.",
        "",
        "| id | requirement | state | tests |",
        "|---|---|---|---|",
    ]
    for name, title in titles.items():
        tests = found.get(name, {})
        shown = functions(tests, "passed")
        text = "<br>".join(f"`{test}`" for test in shown[:4]) + (
            f" and {len(shown) - 4} more" if len(shown) > 4 else ""
        )
        lines.append(f"| {name} | {title} | {status(tests)} | {text} |")
    return "\n".join(lines) + "\n"


def claimed() -> set[str]:
    if not PAGE.exists():
        return set()
    return set(re.findall(r"^\| (\w+) \| .* \| proven here \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("reports", nargs="+", type=Path)
    arguments = parser.parse_args()
    found = outcomes(arguments.reports)
    unknown = sorted(set(found) - set(catalogue()))
    if unknown:
        print(
            f"tests name requirements that docs/requirements.tsv does not have: {', '.join(unknown)}", file=sys.stderr
        )
        return 1
    if not arguments.check:
        PAGE.write_text(page(found), encoding="utf-8")
        return 0
    broken = sorted(name for name in claimed() if functions(found.get(name, {}), "failed"))
    unproven = sorted(name for name in claimed() if not functions(found.get(name, {}), "passed"))
    if broken:
        print(f"docs/requirements.md claims {', '.join(broken)}, but their tests failed", file=sys.stderr)
    if unproven:
        print(f"not proven by this run (no corpus, service or engine here?): {', '.join(unproven)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
