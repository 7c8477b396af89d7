"""What the page is made of fits together: texts that are asked for, modules that are loaded."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("filewright.converter.site").joinpath("static")))
TEMPLATES = STATIC.parent / "templates"
ASKED_FOR = re.compile(r"""(?:\bt|\bhas)\('([\w.]+)'|data-t(?:-label)?['"]?[:=]\s*['"]([\w.]+)['"]""")
KEY = re.compile(r"^  '([^']+)':", re.MULTILINE)
IMPORTED = re.compile(r"^(?:import|export)\s[^;]*?'\./([\w/.]+)';", re.MULTILINE)


def texts(language: str) -> set[str]:
    return set(KEY.findall((STATIC / "texts" / f"{language}.js").read_text()))


def test_every_text_that_is_asked_for_is_in_the_catalogue():
    sources = [*STATIC.glob("*.js"), *TEMPLATES.glob("*.html")]
    asked = {key for source in sources for pair in ASKED_FOR.findall(source.read_text()) for key in pair if key}
    assert len(asked) > 100
    assert asked - texts("en") == set()


def test_every_module_of_the_first_view_is_on_its_way_before_it_is_asked_for():
    needed, waiting = set(), ["app.js"]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(IMPORTED.findall((STATIC / name).read_text()))
    announced = set(re.findall(r"\$static/([\w/.]+\.js)", (TEMPLATES / "start_head.html").read_text()))
    assert announced == needed
