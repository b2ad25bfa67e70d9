"""The parts of a cut on its map: in rows, so that many small ones are not drawn as dots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from surgplan.planning import CutSheet

ASIDE_MM = 7.0
"""Parts that stand farther apart than this, across the map, may be moved on their own."""
_GAP_MM = 8.0
_WIDE = 1.0
"""Wanted width over height of the whole."""

Boxes = npt.NDArray[np.float64]


def in_rows(sheet: CutSheet) -> CutSheet:
    """The sheet with parts that stood in a single row set in as many as fill a square best.

    Each part keeps its shape, size and direction, and the parts their order.
    """
    if sheet.is_empty:
        return sheet
    parts, boxes = _parts(sheet)
    moves = _best(boxes)
    return replace(sheet, flat_mm=sheet.flat_mm + moves[parts])


def _parts(sheet: CutSheet) -> tuple[npt.NDArray[np.int64], Boxes]:
    """The part of each point ``(n,)`` from left to right, and boxes ``(k, 2, 2)``: low, high."""
    count = len(sheet.points_mm)
    a, b, c = sheet.triangles.T
    edges = coo_array(
        (np.ones(2 * len(a), dtype=bool), (np.r_[a, b], np.r_[b, c])), shape=(count, count)
    )
    pieces, piece = connected_components(edges, directed=False)
    low, high = np.full((pieces, 2), np.inf), np.full((pieces, 2), -np.inf)
    np.minimum.at(low, piece, sheet.flat_mm)
    np.maximum.at(high, piece, sheet.flat_mm)
    order = np.argsort(low[:, 0])
    reach = np.maximum.accumulate(high[order, 0])
    begins = np.r_[True, low[order, 0][1:] - reach[:-1] > ASIDE_MM]
    part_of = np.empty(pieces, dtype=np.int64)
    part_of[order] = np.cumsum(begins) - 1
    parts = int(begins.sum())
    boxes = np.empty((parts, 2, 2))
    for part in range(parts):
        mine = part_of == part
        boxes[part] = low[mine].min(axis=0), high[mine].max(axis=0)
    return part_of[piece], boxes


def _best(boxes: Boxes) -> npt.NDArray[np.float64]:
    """How to move each part ``(k, 2)``: of all numbers of rows, that which is drawn largest."""
    found = []
    for rows in range(1, len(boxes) + 1):
        moves, (width, height) = _set(boxes, np.array_split(np.arange(len(boxes)), rows))
        found.append((max(width / _WIDE, height), rows, moves))
    return min(found, key=lambda entry: entry[:2])[2]


def _set(
    boxes: Boxes, rows: Sequence[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    """Moves for parts in given rows from the top, and the size of the whole."""
    sizes = boxes[:, 1] - boxes[:, 0]
    moves, top = np.zeros((len(boxes), 2)), 0.0
    widths = [float((sizes[row, 0] + _GAP_MM).sum()) - _GAP_MM for row in rows]
    for row, width in zip(rows, widths, strict=True):
        left, tall = (max(widths) - width) / 2, float(sizes[row, 1].max())
        for part in row:
            middle = top - tall / 2
            moves[part] = np.array([left, middle - sizes[part, 1] / 2]) - boxes[part, 0]
            left += float(sizes[part, 0]) + _GAP_MM
        top -= tall + _GAP_MM
    return moves, (max(widths), -top - _GAP_MM)
