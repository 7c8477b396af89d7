"""A request's headers as the server gives them: pairs of bytes, names in lower case.

Starlette's `Headers` reads the same list, and takes several times as long for it; what is looked at in every request is
looked at here.
"""

from __future__ import annotations

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str:
    """The first header of that name; empty when there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def headers(scope: Scope, name: bytes) -> list[str]:
    """All of that name, in their order."""
    return [str(value, "latin-1") for key, value in scope["headers"] if key == name]
