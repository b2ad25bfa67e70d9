"""What napari works out anew for each slice that a layer shows, and need not, or not so slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels

Slice = npt.NDArray[np.integer[Any]]


def quick(layer: Any, *, listed: bool) -> Any:
    """The layer, quicker to cut.

    Parameters
    ----------
    layer
        With structures, outlined or filled, or any other.
    listed
        Whether its small picture is seen in a list; it is made once then, and for other data, else
        never.
    """
    picture = layer._update_thumbnail
    if listed:
        picture()
        layer.events.data.connect(lambda: picture())
    layer._update_thumbnail = lambda: None
    if isinstance(layer, Labels):
        layer._calculate_contour = _outlines(layer)
    return layer


def outlined(labels: Slice, width: int, background: int) -> Slice:
    """The same as napari's `get_contours`, in a tenth of the time: labels where they meet others.

    Parameters
    ----------
    labels
        ``(rows, columns)``.
    width
        Pixels inside a structure that its outline takes; outside it is one.
    background
        What stands everywhere else.
    """
    labels = np.ascontiguousarray(labels)  # of a volume they lie far apart
    highest, lowest = _around(labels, np.maximum), labels
    for _ in range(width):
        lowest = _around(lowest, np.minimum)
    return np.where(highest == lowest, labels.dtype.type(background), labels)


def _around(values: Slice, choose: Any) -> Slice:
    """The highest or lowest of each pixel and its four neighbours."""
    chosen = values.copy()
    for axis in (0, 1):
        of, best = np.moveaxis(values, axis, 0), np.moveaxis(chosen, axis, 0)
        choose(best[1:], of[:-1], out=best[1:])
        choose(best[:-1], of[1:], out=best[:-1])
    return chosen


def _outlines(layer: Any) -> Callable[[Slice, tuple[slice, ...]], Slice | None]:
    def outlines(labels: Slice, part: tuple[slice, ...]) -> Slice | None:
        if layer.contour < 1 or labels.ndim > 2:
            return None
        firsts = [max(0, p.start - layer.contour) for p in part]
        wider = tuple(slice(n, p.stop + layer.contour) for n, p in zip(firsts, part, strict=True))
        inner = tuple(slice(p.start - n, p.stop - n) for n, p in zip(firsts, part, strict=True))
        return outlined(labels[wider], layer.contour, layer.colormap.background_value)[inner]

    return outlines
