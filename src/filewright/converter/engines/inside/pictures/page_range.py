"""Which pages `1-3,7,9-` means."""

from __future__ import annotations

import re

from filewright.chassis.sandbox.child import Refusal

_PART = re.compile(r"\s*(\d+)\s*(?:(-)\s*(\d+)?)?\s*$", re.ASCII)


def chosen_pages(text: str | None, count: int) -> list[int]:
    """Numbers from 0, in the order asked for, each once. Pages past the end are left out; none left is refused."""
    if text is None:
        return list(range(count))
    found: dict[int, None] = {}
    for part in text.split(","):
        match = _PART.match(part)
        if match is None:
            raise Refusal("unsupported_conversion")
        first = int(match[1])
        last = first if match[2] is None else int(match[3] or count)
        found.update(dict.fromkeys(range(max(first, 1), min(last, count) + 1)))
    if not found:
        raise Refusal("unsupported_conversion")
    return [number - 1 for number in found]
