"""Tables as values, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from surgplan.planning import percent_in_words

NOT_KNOWN = "–"

Mark = Literal["yes", "care", "no"]
SIGNS: dict[Mark, str] = {"yes": "✓", "care": "!", "no": "✗"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a table.

    Attributes
    ----------
    text
        As it is read.
    mark
        Whether it says that something holds, needs care, or does not; shown by a sign, not by
        colour alone.
    swatch
        CSS colour of a small square before the text.
    small
        For sources and hashes.
    """

    text: str
    mark: Mark | None = None
    swatch: str | None = None
    small: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """Title of a column; numbers are aligned to the right."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a caption; the first cell of each is its heading, an only cell the whole of it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> Table:
    """A table from titles and cells; a title that begins with ``>`` heads numbers."""
    return Table(
        caption=caption,
        columns=tuple(
            Column(title=c.removeprefix(">"), numeric=c.startswith(">")) for c in columns
        ),
        rows=tuple(tuple(c if isinstance(c, Cell) else Cell(text=c) for c in row) for row in rows),
    )


def ml(value: float | None) -> str:
    """Millilitres.

    >>> ml(1489.26), ml(2.468), ml(0.04), ml(None)
    ('1489 ml', '2.5 ml', '0.04 ml', '–')
    """
    return NOT_KNOWN if value is None else f"{_figures(value)} ml"


def mm(value: float | None) -> str:
    """Millimetres.

    >>> mm(9.96), mm(-0.04)
    ('10.0 mm', '0.0 mm')
    """
    return NOT_KNOWN if value is None else f"{round(value, 1) + 0.0:.1f} mm"


def percent(value: float | None) -> str:
    """Per cent.

    >>> percent(31.25)
    '31.2 %'
    """
    return NOT_KNOWN if value is None else percent_in_words(value)


def share(value_percent: float, denominator: str) -> str:
    """Per cent of a whole; thresholds by body weight lie below 1 %, where one decimal hides much.

    >>> share(31.25, "measured"), share(0.468, "body weight")
    ('31.2 %', '0.47 %')
    """
    return f"{value_percent:.2f} %" if denominator == "body weight" else percent(value_percent)


def area(value_mm2: float) -> str:
    """Areas, in square centimetres as surgeons think of them.

    >>> area(1234.0), area(8.0)
    ('12.3 cm²', '0.1 cm²')
    """
    return f"{centimetres2(value_mm2)} cm²"


def centimetres2(value_mm2: float) -> str:
    """Areas without their unit, for columns that name it."""
    return f"{value_mm2 / 100:.1f}"


def point(value: Sequence[float] | None) -> str:
    """An LPS position in words of the patient.

    >>> point((-12.3, 40.0, 7.25))
    'R 12, P 40, S 7'
    """
    if value is None:
        return NOT_KNOWN
    pairs = zip(value, ("LR", "PA", "SI"), strict=True)
    return ", ".join(f"{two[0] if v >= 0 else two[1]} {abs(v):.0f}" for v, two in pairs)


def verdict(*, holds: bool | None, yes: str, no: str) -> Cell:
    """Whether something holds, as a cell."""
    if holds is None:
        return Cell(text=NOT_KNOWN)
    return Cell(text=yes if holds else no, mark="yes" if holds else "no")


def _figures(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2f}"
