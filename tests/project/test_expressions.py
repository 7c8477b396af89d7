"""No pattern of the program can be made to think for long: each sees long texts that nearly fit."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import filewright

ROOT = Path(filewright.__file__).parent
CPU_SECONDS = 0.05
"""Of a thread, not of a clock. What is linear takes a hundredth of it, what is quadratic many times as long."""
METHODS = {"match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}


class Use(NamedTuple):
    """A pattern, and how it is asked."""

    place: str
    pattern: re.Pattern[str] | re.Pattern[bytes]
    methods: set[str]


def uses() -> Iterator[Use]:
    """Every pattern that stands in the code as a constant."""
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "re." not in text:
            continue
        tree = ast.parse(text)
        names = {
            id(node.value): target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if getattr(node.func.value, "id", "") != "re" or node.func.attr not in {*METHODS, "compile"}:
                continue
            first = node.args[0]
            if not isinstance(first, ast.Constant):
                continue
            named = " ".join(ast.unparse(more) for more in (*node.args[1:], *node.keywords))
            flags = re.RegexFlag(0)
            for flag in ("VERBOSE", "IGNORECASE", "MULTILINE", "DOTALL"):
                flags |= getattr(re, flag) if flag in named else 0
            methods = {node.func.attr}
            if node.func.attr == "compile":
                name = names.get(id(node), "")
                methods = set(re.findall(rf"\b{name}\.(\w+)\(", text)) & METHODS if name else set()
            yield Use(f"{path.relative_to(ROOT)}:{node.lineno}", re.compile(first.value, flags), methods or {"match"})


def nearly(pattern: re.Pattern[str] | re.Pattern[bytes], length: int) -> Iterator[str]:
    """Long texts of the pattern's own words and characters, which at their end turn out not to fit."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = [re.sub(r"\\(\W)", r"\1", word) for word in re.findall(r"(?:[A-Za-z<@#/&;:=-]|\\[^\w\s])+", text)]
    own = sorted({char for word in words for char in word if not char.isalnum()})[:3]
    for unit in dict.fromkeys([*words[:4], *own, "a", "0", " ", "\n", "a.", "0,"]):
        yield (unit * length)[:length] + "\x00!"


def ask(pattern: re.Pattern[str] | re.Pattern[bytes], method: str, text: str) -> None:
    given = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "ignore")
    if method in {"sub", "subn"}:
        getattr(pattern, method)(given[:0], given)
    elif method == "finditer":
        list(pattern.finditer(given))
    else:
        getattr(pattern, method)(given)


@pytest.mark.requirement("S32")
@pytest.mark.parametrize("length", [4_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_no_pattern_thinks_for_long_about_what_nearly_fits(length: int) -> None:
    found, slow, patience = list(uses()), [], CPU_SECONDS * max(1, length / 5_000)
    for place, pattern, methods in found:
        for text in nearly(pattern, length):
            began = time.thread_time()
            for method in methods:
                ask(pattern, method, text)
            if (seconds := time.thread_time() - began) > patience * len(methods):
                slow.append(f"{place}: {pattern.pattern!r} {methods} thought {seconds:.1f} s about {text[:10]!r}…")
                break
    assert len(found) > 100
    assert not slow, "\n".join(slow)


@pytest.mark.requirement("S32")
def test_no_command_goes_through_a_shell() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in ROOT.rglob("*.py")
        if re.search(r"shell|os\.(?:system|popen)|getoutput", text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and (
            any(keyword.arg == "shell" for keyword in node.keywords)
            or ast.unparse(node.func)
            in {"os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"}
        )
    ]
    assert found == []
