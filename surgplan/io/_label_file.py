"""What a label file holds before its parts are known to be structures of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.errors import LabelError
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Segment,
)

INSIDE_LIVER = (LIVER_TUMOUR, LIVER_CYST, PORTAL_VEIN, HEPATIC_VEINS, ARTERIES, BILIARY)


@dataclass(frozen=True, kw_only=True)
class LabelPart:
    """One named part of a label file.

    Attributes
    ----------
    name
        What the file, or the table of names, calls it; ``''`` where nothing does.
    numbers
        Values of its voxels.
    layer
        Which of the file's arrays they lie in.
    coded
        The structure that its code means, None where the code is missing or says no more than
        'tissue'.
    """

    name: str
    numbers: tuple[int, ...]
    layer: int = 0
    coded: Segment | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelFile:
    """The arrays of a label file and their parts.

    Attributes
    ----------
    name
        File name.
    geometry
        LPS mm.
    layers
        Arrays ``(slice, row, column)`` of whole numbers, to be gone through once, in order.
    parts
        Empty where the file only has numbers.
    segments
        What surgplan itself wrote along, where it did: then numbers are labels.
    """

    name: str
    geometry: Geometry
    layers: Iterable[npt.NDArray[Any]]
    parts: tuple[LabelPart, ...] = ()
    segments: tuple[Segment, ...] = ()


def paint(file: LabelFile, wanted: Sequence[tuple[LabelPart, Segment | None]]) -> LabelMap:
    """One label map of the wanted parts; None leaves a part out.

    Parts of one structure are joined. Where two structures share voxels, liver parenchyma gives
    way to what lies inside it; any other overlap is refused.

    Raises `LabelError` for overlaps, and for numbers in the file that no part names.
    """
    array = np.zeros(file.geometry.shape, dtype=np.uint8)
    for index, layer in enumerate(file.layers):
        here = [(p, s) for p, s in wanted if p.layer == index]
        _check_named(layer, [n for p, _ in here for n in p.numbers], file.name)
        table = np.zeros(int(layer.max()) + 1, dtype=np.uint8)
        for part, segment in here:
            table[[n for n in part.numbers if n < table.size]] = segment.label if segment else 0
        _lay(array, table[layer], file.name)
    segments = {segment.label: segment for _, segment in wanted if segment}
    return LabelMap(array=array, geometry=file.geometry, segments=tuple(segments.values()))


def _check_named(layer: npt.NDArray[Any], named: list[int], name: str) -> None:
    present = np.flatnonzero(_counts(layer))
    unnamed = sorted(set(present.tolist()) - {0, *named})
    if unnamed:
        msg = (
            f"{name} has voxels with {_listed(unnamed)} that nothing names; add them to "
            '`--label-names` ("ignore" as structure leaves one out)'
        )
        raise LabelError(msg)


def _lay(array: npt.NDArray[np.uint8], over: npt.NDArray[np.uint8], name: str) -> None:
    """Write the labels of ``over`` into ``array``."""
    if not array.any():
        array[...] = over
        return
    inside = [s.label for s in INSIDE_LIVER]
    clash = (array != 0) & (over != 0) & (array != over)
    below = clash & (over == LIVER.label) & np.isin(array, inside)
    above = clash & (array == LIVER.label) & np.isin(over, inside)
    left = clash & ~below & ~above
    if left.any():
        pairs = sorted({(int(a), int(b)) for a, b in zip(array[left], over[left], strict=True)})
        msg = (
            f"structures must not overlap, {name} has {int(left.sum())} voxels in two (labels "
            f"{_listed(pairs)}); separate them and export again"
        )
        raise LabelError(msg)
    chosen = (over != 0) & ~below
    array[chosen] = over[chosen]


def _counts(layer: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    counts = np.zeros(int(layer.max()) + 1, dtype=np.int64)
    for plane in layer:  # by plane: bincount would widen the whole array to int64
        counts += np.bincount(plane.ravel(), minlength=counts.size)
    return counts


def _listed(values: Iterable[object], most: int = 12) -> str:
    words = [str(v) for v in values]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if words[most:] else "")
