"""Small plots as SVG text, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_COLOURS = ("#2f6f9f", "#e0a030", "#4f9f5f", "#b05070")
_LEFT, _WIDTH, _RIGHT, _TOP = 170, 420, 70, 32


def bars(title: str, unit: str, values: Mapping[str, float]) -> str:
    """A bar for each name, with its value at its end."""
    most = max([*values.values(), 1e-9])
    parts = []
    for number, (name, value) in enumerate(values.items()):
        top, width = _TOP + number * 24, _WIDTH * value / most
        colour = _COLOURS[0] if name == "product" else _COLOURS[1]
        parts += [
            f'<text x="{_LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="16" fill="{colour}"/>',
            f'<text x="{_LEFT + width + 5:.1f}" y="{top + 12}">{value:,.4g}</text>',
        ]
    return _drawn(f"{title} ({unit})", _TOP + 24 * len(values) + 8, parts)


def lines(title: str, unit: str, across: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line for each name through its points; both axes begin at nought."""
    points = [point for line in series.values() for point in line]
    far, high = (max([*(point[axis] for point in points), 1e-9]) for axis in (0, 1))
    height, parts = 220, []
    for share in (0, 0.5, 1):
        y = _TOP + height - share * height
        parts += [
            f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="#cccccc"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{high * share:,.0f} {escape(unit)}</text>',
            _text(_LEFT + share * _WIDTH, _TOP + height + 18, f"{far * share:,.0f}"),
        ]
    for colour, (name, line) in zip(_COLOURS, series.items(), strict=False):
        way = " ".join(f"{_LEFT + x / far * _WIDTH:.1f},{_TOP + height - y / high * height:.1f}" for x, y in line)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if line:
            parts.append(
                f'<text x="{_LEFT + _WIDTH + 4}" y="{_TOP + height - line[-1][1] / high * height + 4:.0f}"'
                f' fill="{colour}">{escape(name)}</text>'
            )
    parts.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{_TOP + height + 36}" text-anchor="middle">{escape(across)}</text>'
    )
    return _drawn(title, _TOP + height + 46, parts)


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{escape(words)}</text>'


def _drawn(title: str, height: int, parts: Sequence[str]) -> str:
    width = _LEFT + _WIDTH + _RIGHT
    size = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
            *parts,
            "</svg>",
            "",
        ]
    )
