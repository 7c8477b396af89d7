"""Write the table of S1 to S42 into docs/security.md from the marks on tests, or with --check fail when it is not so.

What each demands, and what no test can hold (a figure that is measured, a part that does not apply), is a line of
docs/security.tsv. An id that neither a test nor such a line speaks for is an error, and so is a test in the table that
is not there any more; whether the tests pass is for `requirements_doc.py` to say, which reads what a run reported.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- S1 to S42: made by scripts/security_doc.py -->\n", "<!-- end of S1 to S42 -->\n"
MOST_NAMES = 6


def demands() -> dict[str, tuple[str, str]]:
    """What each id asks for, and what is said beside its tests."""
    lines = (ROOT / "docs" / "security.tsv").read_text(encoding="utf-8").splitlines()
    return {id_: (text, note) for id_, text, note in (line.split("\t") for line in lines)}


def marked() -> dict[str, list[tuple[str, str]]]:
    """The tests that carry each id: file and name."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        everywhere = [id_ for node in tree.body if _is_pytestmark(node) for id_ in _ids(node)]
        for name, ids in _tests(tree, everywhere):
            for id_ in dict.fromkeys(ids):
                found.setdefault(id_, []).append((str(path.relative_to(ROOT)), name))
    return found


def _tests(tree: ast.Module | ast.ClassDef, inherited: list[str]) -> Iterator[tuple[str, list[str]]]:
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        own = inherited + [id_ for decorator in node.decorator_list for id_ in _ids(decorator)]
        if isinstance(node, ast.ClassDef):
            yield from _tests(node, own)
        elif node.name.startswith("test_"):
            yield node.name, own


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"


def _ids(node: ast.AST) -> list[str]:
    return [
        str(argument.value)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "requirement"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def table() -> str:
    tests = marked()
    lines = ["| Id | Requirement | Proven by | Beside the tests |", "|---|---|---|---|"]
    lines += [f"| {id_} | {text} | {_shown(tests.get(id_, []))} | {note} |" for id_, (text, note) in demands().items()]
    return "\n".join(lines) + "\n"


def _shown(tests: list[tuple[str, str]]) -> str:
    """By file; of a file with many, some."""
    files: dict[str, list[str]] = {}
    for file, name in tests:
        files.setdefault(file, []).append(name)
    shown = []
    for file, names in files.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        shown.append(f"`{file}`: " + ", ".join(f"`{name}`" for name in names[:MOST_NAMES]) + more)
    return "<br>".join(shown)


def unproven() -> list[str]:
    tests = marked()
    return [id_ for id_, (_, note) in demands().items() if id_ not in tests and not note]


def stale() -> list[str]:
    """Tests that the table names and that carry no id."""
    named = re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0])
    return sorted(set(named) - {name for tests in marked().values() for _, name in tests})


def page() -> str:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    if set(demands()) != {f"S{number}" for number in range(1, 43)}:
        print("docs/security.tsv has not all of S1 to S42", file=sys.stderr)
        return 1
    if missing := unproven():
        print(f"neither a test nor a reason: {', '.join(missing)}", file=sys.stderr)
        return 1
    if re.search(r"<!-- S1 to S42", PAGE.read_text(encoding="utf-8")) is None:
        print("docs/security.md has no place for the table", file=sys.stderr)
        return 1
    if check and (lost := stale()):
        print(f"docs/security.md names tests that prove nothing: {', '.join(lost)}", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
