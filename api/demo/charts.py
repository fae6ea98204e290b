"""Charts as inline SVG, made here: bars, signed bars and a heat map, readable on a phone, on paper and by a screen
reader.

Invariants: text is escaped; colours come from the page's style sheet by class, so that print and dark mode choose them;
a figure is always written beside its shape, so that no colour carries a meaning alone. Who may call: `page` and its
tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import isqrt

WIDTH = 640
ROW = 24
LABEL_WIDTH = 190
FIGURE_WIDTH = 96
SHADE_PERCENT_MIN = 4

LABEL_CELLS_MAX = 27
SLANTED_CELLS_MAX = 16
"""Widths of labels in Latin letters; a Chinese character is as wide as two."""
SLANT_HEIGHT = 96
SLANT_WIDTH = 56
"""What a slanted label of SLANTED_CELLS_MAX takes upwards and to the right."""
FIRST_WIDE = "\u2e80"

Written = Callable[[int], str]


def signed_bars(title: str, amounts: Mapping[str, int], written: Written) -> str:
    """One row for each name: to the left of the axis below zero, to the right above."""
    room = WIDTH - LABEL_WIDTH - FIGURE_WIDTH
    low, high = min([0, *amounts.values()]), max([0, *amounts.values()])
    span = max(1, high - low)
    axis = LABEL_WIDTH + -low * room // span
    rows = []
    for number, (name, amount) in enumerate(amounts.items()):
        width = max(1, abs(amount) * room // span)
        left = axis if amount >= 0 else axis - width
        rows.append(
            _bar_row(number, name, written(amount), left=left, width=width, kind="up" if amount >= 0 else "down")
        )
    height = ROW * max(1, len(amounts))
    rows.append(f'<line class="axis" x1="{axis}" y1="0" x2="{axis}" y2="{height}"/>')
    return _svg(title, height, rows)


def columns(title: str, amounts: Mapping[str, int], written: Written) -> str:
    """One column for each name, its figure above and its name below."""
    height, base = 220, 180
    step = WIDTH // max(1, len(amounts))
    highest = max([1, *amounts.values()])
    parts = []
    for number, (name, amount) in enumerate(amounts.items()):
        tall = amount * (base - 20) // highest
        left, middle = number * step + 4, number * step + step // 2
        parts += [
            f'<rect class="up" x="{left}" y="{base - tall}" width="{step - 8}" height="{tall}" rx="2"/>',
            _text(middle, base - tall - 5, written(amount), "middle small"),
            _text(middle, base + 16, name, "middle small"),
        ]
    parts.append(f'<line class="axis" x1="0" y1="{base}" x2="{WIDTH}" y2="{base}"/>')
    return _svg(title, height, parts)


def heat_map(title: str, names: Sequence[str], amount_of: Callable[[str, str], int], written: Written) -> str:
    """A square of names by names.

    Rows gave, columns received; the darker, the more, by the square root, so that small flows show.
    """
    cell = (WIDTH - LABEL_WIDTH - SLANT_WIDTH) // max(1, len(names))
    top = SLANT_HEIGHT
    highest = max([1, *(amount_of(row, column) for row in names for column in names)])
    parts = []
    for y, row in enumerate(names):
        parts.append(_text(LABEL_WIDTH - 6, top + y * cell + cell // 2 + 4, _fitted(row), "end small"))
        x_text = LABEL_WIDTH + y * cell + cell // 2 + 4
        column_name = escape(_fitted(row, SLANTED_CELLS_MAX))
        parts.append(f'<text class="small" transform="translate({x_text} {top - 6}) rotate(-60)">{column_name}</text>')
        for x, column in enumerate(names):
            amount = amount_of(row, column)
            shade = _root(amount * 10_000 // highest)
            where = f'x="{LABEL_WIDTH + x * cell}" y="{top + y * cell}" width="{cell - 1}" height="{cell - 1}"'
            tip = f"<title>{escape(row)} → {escape(column)}: {escape(written(amount))}</title>"
            parts.append(f'<rect class="heat" {where} fill-opacity="{shade}%">{tip}</rect>')
    return _svg(title, top + cell * len(names), parts)


def _root(ten_thousandths: int) -> int:
    """The square root of a share, in per cent; something that is there at all is never quite invisible."""
    return max(isqrt(ten_thousandths), SHADE_PERCENT_MIN) if ten_thousandths else 0


def _bar_row(number: int, name: str, figure: str, *, left: int, width: int, kind: str) -> str:
    top = number * ROW
    bar = f'<rect class="{kind}" x="{left}" y="{top + 4}" width="{width}" height="{ROW - 8}" rx="2"/>'
    return _text(LABEL_WIDTH - 8, top + 16, _fitted(name), "end") + bar + _text(WIDTH, top + 16, figure, "end")


def _fitted(name: str, cells_max: int = LABEL_CELLS_MAX) -> str:
    """As much of a name as its column holds."""
    cells = 0
    for place, letter in enumerate(name):
        cells += 2 if letter >= FIRST_WIDE else 1
        if cells > cells_max:
            return name[:place].rstrip() + "…"
    return name


def _text(x: int, y: int, content: str, classes: str) -> str:
    return f'<text x="{x}" y="{y}" class="{classes}">{escape(content)}</text>'


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return head + "".join(parts) + "</svg>"
