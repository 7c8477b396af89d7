"""What the products of operations are called: after the first file, and so that they do not stand in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filewright.converter.conversion.names import harmless, product_names, stem_of
from filewright.converter.formats.catalogue import FORMATS, by_filename
from filewright.converter.operations.port import ANY, Ability, Made

_SAYS: Mapping[str, str] = {
    "merge": "merged",
    "split": "part",
    "compress": "compressed",
    "ocr": "searchable",
    "thumbnail": "thumbnail",
    "watermark": "watermarked",
    "rotate": "rotated",
    "metadata": "metadata",
    "extract": "extract",
    "archive": "archive",
    "unarchive": "member",
    "sanitize": "sanitized",
}


def names_of(ability: Ability, filename: str, made: Sequence[Made]) -> list[str]:
    """`report-merged.pdf`; `report-part-1.pdf`, `report-part-2.pdf`; or as they were called inside the source."""
    format_id = ability.target if ability.target != ANY else _format_of(made)
    ending = FORMATS[format_id].extension if format_id else "bin"
    # The ending is there for `product_names` to take off again: a stem may have dots of its own.
    named = f"{stem_of(filename)}-{_SAYS[ability.operation]}.{ending}"
    usual = product_names(named, format_id, len(made)) if format_id else [named] * len(made)
    return [harmless(item.name) if item.name else name for item, name in zip(made, usual, strict=True)]


def _format_of(made: Sequence[Made]) -> str | None:
    for item in made:
        found = item.format or (known.id if (known := by_filename(item.path.name)) else None)
        if found:
            return found
    return None
