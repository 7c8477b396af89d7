"""Configuration files out of `templates/`: `@{name}` is a value, `@@` an at sign. A value that is missing is an error.

Nothing else is known here: a template is the program's own configuration, which its manual explains.
"""

from __future__ import annotations

import string
from importlib.resources import files


class _At(string.Template):
    delimiter = "@"


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>` with these values in it."""
    text = (files(__package__) / "templates" / template).read_text(encoding="utf-8")
    return _At(text).substitute(values)
