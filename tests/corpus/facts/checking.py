"""Which facts a delivery kept and which it lost. A target that has no room for a fact is not asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.facts import media, pages, parcels, pictures, shapes, structure, tables, words
from corpus.facts.delivery import Delivery

Check = Callable[[Any, Delivery, Mapping[str, Any]], str | None]
"""Empty when kept, a reason when lost, None when the target cannot carry it."""


@dataclass(frozen=True)
class Verdict:
    """One fact on one target; `lost` is empty when it was kept, else says what was found."""

    fact: str
    lost: str


def _size(_: Any, delivery: Delivery, facts: Mapping[str, Any]) -> str | None:
    return pictures.size(facts, delivery)


def _tables(expected: Any, delivery: Delivery, facts: Mapping[str, Any]) -> str | None:
    return (words.tables if isinstance(expected, int) else tables.database_tables)(expected, delivery, facts)


CHECKS: Mapping[str, Check] = {
    "text": words.text,
    "title": words.title,
    "language": words.language,
    "tables": _tables,
    "images": words.images,
    "media_files": words.images,
    "formula_starmath": words.formula,
    "pages": pages.pages,
    "slides": pages.pages,
    "page_size_pt": pages.page_size,
    "width": _size,
    "viewBox": lambda _, delivery, facts: None if "width" in facts else pictures.size(facts, delivery),
    "frame_0.01mm": pictures.emf_frame,
    "frames": pictures.frames,
    "depth": pictures.depth,
    "sheets": tables.sheets,
    "hidden_sheets": tables.hidden_sheets,
    "cell": tables.cell,
    "first_sheet_rows_cols": tables.first_sheet,
    "rows": tables.rows,
    "records_with_header": tables.records,
    "columns": tables.columns,
    "header": tables.header,
    "last_row": tables.last_row,
    "duration_s": media.duration,
    "audio": media.audio,
    "video": media.video,
    "files": parcels.files,
    "names_sample": parcels.names,
    "member_sha256": parcels.member,
    "sha256_decompressed": parcels.unpacked,
    "subject": parcels.header_line,
    "subject_prefix": parcels.header_line,
    "from": parcels.header_line,
    "subjects": parcels.subjects,
    "attachment_names": parcels.attachment_names,
    "layers": shapes.layers,
    "extent_first_layer": shapes.extent,
    "triangles": shapes.triangles,
    "family": shapes.family,
    "glyphs": shapes.glyphs,
    "axes": shapes.axes,
    "cues": shapes.cues,
    "caption_lines": shapes.some_cues,
    "tti_blocks": shapes.some_cues,
    "top": structure.top,
    "keys": structure.keys,
    "first": structure.first,
    "summary": structure.summary,
    "events": structure.events,
}
NOT_ASKED = frozenset({
    "upright_width_height", "exif_orientation", "height",  # part of `width`
    "width_decoded", "height_decoded", "bounds_device_units",  # the same, measured twice
    "encoding", "flavor", "bytes_decompressed", "date_system",  # of the source; shown by the text or the cell
    "colorspace", "page_progression", "spine_items",  # a faithful conversion may change it
    "attachments", "messages", "vertices", "length", "cells",  # part of names, subjects, triangles, `top`, text
})  # fmt: skip
"""Facts that tell of the source alone, or that another fact includes."""


def verdicts(facts: Mapping[str, Any], delivery: Delivery) -> Sequence[Verdict]:
    """What became of each fact that the target can carry. A checker that cannot read a product counts as a loss."""
    found = []
    for name, expected in facts.items():
        check = CHECKS.get(name)
        if check is None:
            continue
        try:
            lost = check(expected, delivery, facts)
        except Exception as error:
            lost = f"cannot be read back: {type(error).__name__}: {str(error)[:160]}"
        if lost is not None:
            found.append(Verdict(name, lost))
    return found
