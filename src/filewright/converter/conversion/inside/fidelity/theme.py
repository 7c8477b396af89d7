"""The fonts of an OOXML theme, by which most documents name theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.conversion.inside.fidelity.told import ScriptFonts

_SCRIPTS = {"ja": "Jpan", "ko": "Hang", "zh-CN": "Hans", "zh-SG": "Hans", "zh-TW": "Hant", "zh-HK": "Hant"}

Theme = Mapping[str, ScriptFonts]
"""`major` for headings, `minor` for the rest."""


def theme_fonts(root: Any, east_asian_language: str = "") -> Theme:
    """What the theme calls its two fonts; for East Asian text by the document's language, if the theme knows it."""
    return {
        size: _fonts(scheme, east_asian_language)
        for size in ("major", "minor")
        for scheme in root.iter("{*}" + f"{size}Font")
    }


def _fonts(scheme: Any, language: str) -> ScriptFonts:
    script = _SCRIPTS.get(language) or _SCRIPTS.get(language.partition("-")[0], "")
    by_script = {font.get("script"): font.get("typeface") for font in scheme.iter("{*}font")}
    return ScriptFonts(_face(scheme, "latin"), _face(scheme, "ea") or by_script.get(script), _face(scheme, "cs"))


def _face(scheme: Any, name: str) -> str | None:
    found = scheme.find("{*}" + name)
    return None if found is None else found.get("typeface") or None
