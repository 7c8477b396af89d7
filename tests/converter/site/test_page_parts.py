"""What the page is made of fits together: texts that are asked for, modules that are loaded."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("filewright.converter.site").joinpath("static")))
TEMPLATES = STATIC.parent / "templates"
ASKED_FOR = re.compile(r"""(?:\bt|\bhas)\('([\w.]+)'|data-t(?:-label)?['"]?[:=]\s*['"]([\w.]+)['"]""")
KEY = re.compile(r"^  '([^']+)':", re.MULTILINE)
IMPORTED = re.compile(r"^(?:import|export)\s[^;]*?'(\.\.?/[\w/.]+)';", re.MULTILINE)


def texts(language: str, folder: str = "") -> set[str]:
    return set(KEY.findall((STATIC / folder / "texts" / f"{language}.js").read_text()))


def test_every_text_that_is_asked_for_is_in_the_catalogue():
    sources = [*STATIC.glob("*.js"), *TEMPLATES.glob("*.html")]
    asked = {key for source in sources for pair in ASKED_FOR.findall(source.read_text()) for key in pair if key}
    assert len(asked) > 100
    assert asked - texts("en") == set()


def test_every_text_of_the_account_page_is_in_its_catalogue_and_none_is_there_in_vain():
    known = texts("en", "account")
    kinds = "|".join({key.partition(".")[0] for key in known})  # keys go from hand to hand before they are asked for
    sources = "".join(source.read_text() for source in STATIC.glob("account/*.js"))
    asked = set(re.findall(rf"""'((?:{kinds})\.[\w./]+)'""", sources))
    assert len(asked) > 80
    assert asked - known == set()
    made_up = "|".join(re.findall(rf"""`((?:{kinds})\.)\$""", sources))  # of a code or a state, as `job.${{status}}`
    assert {key for key in known - asked if not re.match(made_up, key)} == set()


@pytest.mark.parametrize(
    ("first", "head"), [("app.js", "start_head.html"), ("account/account.js", "account_head.html")]
)
def test_every_module_of_the_first_view_is_on_its_way_before_it_is_asked_for(first: str, head: str):
    needed, waiting = set(), [first]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            folder = (STATIC / name).parent
            found = IMPORTED.findall((STATIC / name).read_text())
            waiting.extend(str((folder / other).resolve().relative_to(STATIC.resolve())) for other in found)
    announced = set(re.findall(r"\$static/([\w/.]+\.js)", (TEMPLATES / head).read_text()))
    assert announced == needed
