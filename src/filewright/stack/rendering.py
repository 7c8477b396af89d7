"""Configuration files out of `templates/`: `@{name}` is a value, `@@` an at sign. A value that is missing is an error.

Nothing else is known here: a template is the program's own configuration, which its manual explains. A value of several
lines that stands alone on its line is set in as deep as that line.
"""

from __future__ import annotations

import re
import string
import textwrap
from importlib.resources import files

_ALONE = re.compile(r"^([ ]*)@\{(\w+)\}$", re.MULTILINE)
_HOLES = re.compile(r"\n{3,}")


class _At(string.Template):
    delimiter = "@"


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>` with these values in it. A value that is empty leaves no gap."""
    text = (files(__package__) / "templates" / template).read_text(encoding="utf-8")
    found = {name: str(value) for name, value in values.items()}
    indented = _ALONE.sub(lambda line: _set_in(found, line[1], line[2]), text)
    return _HOLES.sub("\n\n", _At(indented).substitute(found))


def _set_in(values: dict[str, str], depth: str, name: str) -> str:
    """The value, each line as deep; as text of the template, so what looks like a value in it is shielded."""
    return textwrap.indent(values[name].rstrip("\n"), depth).replace("@", "@@")
