"""Lines of SubStation files with their fields in the usual order.

Each section of such a file may say in a `Format:` line which fields its lines have, and in which order. The library
goes by the usual order whatever is said there, and would take words for the name of a speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def _fields(*parts: str) -> Mapping[str, str]:
    """Names in their order, each with what stands for it where a file leaves it out."""
    return dict(part.split("=", 1) for part in " ".join(parts).split())


_MARGINS = "marginl=0 marginr=0 marginv=0"
_CUE = f"start=0:00:00.00 end=0:00:00.00 style=Default name= {_MARGINS} effect= text="
_LETTERS = "name=Default fontname=Arial fontsize=20 primarycolour=&HFFFFFF secondarycolour=&HFF"
_BOX = f"borderstyle=1 outline=2 shadow=2 alignment=2 {_MARGINS}"
_FACES = "backcolour=&H0 bold=0 italic=0"
_ASS_CUE, _SSA_CUE = _fields("layer=0", _CUE), _fields("marked=Marked=0", _CUE)
_ASS_STYLE = _fields(
    _LETTERS, "outlinecolour=&H0", _FACES, "underline=0 strikeout=0 scalex=100 scaley=100 spacing=0 angle=0", _BOX,
    "encoding=1",
)  # fmt: skip
_SSA_STYLE = _fields(_LETTERS, "tertiarycolour=&H0", _FACES, _BOX, "alphalevel=0 encoding=1")
_USUAL: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "ass": {"Style": _ASS_STYLE, "Dialogue": _ASS_CUE, "Comment": _ASS_CUE},
    "ssa": {"Style": _SSA_STYLE, "Dialogue": _SSA_CUE, "Comment": _SSA_CUE},
}
_NEEDED = {"Style": {"name"}, "Dialogue": {"start", "end", "text"}, "Comment": {"start", "end", "text"}}
_ALSO_CALLED = {"actor": "name"}


def in_usual_order(text: str, format_id: str) -> str:
    """The same file; lines of a section that says nothing of their order, or nothing new, stay as they are."""
    lines, order = list[str](), list[str]()
    for line in text.split("\n"):
        kind, _, rest = line.strip().partition(":")
        if kind.startswith("["):
            order = []
        elif kind == "Format":
            order = [_ALSO_CALLED.get(name, name) for name in (part.strip().lower() for part in rest.split(","))]
        usual = _USUAL[format_id].get(kind)
        is_other = usual is not None and _NEEDED[kind] <= set(order) and order != list(usual)[: len(order)]
        lines.append(f"{kind}: {_reordered(rest, order, usual)}" if usual and is_other else line)
    return "\n".join(lines)


def _reordered(rest: str, order: Sequence[str], usual: Mapping[str, str]) -> str:
    """The last field holds all that is left, commas too."""
    found = dict(zip(order, rest.strip().split(",", len(order) - 1), strict=False))
    return ",".join(found.get(name, instead) for name, instead in usual.items())
