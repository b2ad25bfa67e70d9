"""The flat map of a cut as a picture: margins, the vessels it meets, the segments it borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_surgplan._map_layout import in_rows
from napari_surgplan._margin_bands import colours_of
from surgplan.planning import CutMap, CutSheet, cut_map
from surgplan.volume import (
    BILIARY,
    HEPATIC_VEINS,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
)

PIXEL_MM = 0.75
_SHOWN = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, BILIARY, LIVER_TUMOUR)
_FRAME = (0.10, 0.10, 0.12)
_SEGMENT_LINE = (0.25, 0.27, 0.32)
_LEAST_PIXELS = 150


@dataclass(frozen=True, kw_only=True, eq=False)
class MapPicture:
    """A picture of a cut laid flat.

    Attributes
    ----------
    rgba
        ``(h, w, 4)`` uint8, clear off the cut.
    map
        Where each pixel lies in the patient.
    words
        Names of segments, each with its row and column.
    """

    rgba: npt.NDArray[np.uint8]
    map: CutMap
    words: tuple[tuple[str, float, float], ...]


def picture_of(
    sheet: CutSheet, label_map: LabelMap, segments: LabelMap | None = None
) -> MapPicture:
    """Draw a sheet flat.

    Parameters
    ----------
    sheet
        Of the cut.
    label_map
        Vessels and tumours.
    segments
        Couinaud's; None where they are not known.
    """
    flat = cut_map(in_rows(sheet), pixel_mm=PIXEL_MM)
    on = flat.on_cut
    rgb = colours_of(flat.margin_mm).astype(np.float64)
    words: list[tuple[str, float, float]] = []
    if segments is not None:
        numbers = flat.labels(segments)
        rgb[_borders(numbers, on)] = _SEGMENT_LINE
        words = _names(numbers, segments)
    labels = flat.labels(label_map)
    for structure in _SHOWN:
        segment = label_map.find(structure.code)
        inside = labels == (segment.label if segment else 0)
        if segment is not None and inside.any():
            inside &= on
            rgb[inside] = np.array(segment.colour) / 255
            rgb[ndimage.binary_dilation(inside) & on & ~inside] = _FRAME
    rgb[on & ~ndimage.binary_erosion(on, iterations=2)] = _FRAME
    rgba = np.zeros((*on.shape, 4), dtype=np.uint8)
    rgba[on, :3] = np.round(255 * rgb[on])
    rgba[on, 3] = 255
    return MapPicture(rgba=rgba, map=flat, words=tuple(words))


def _borders(numbers: npt.NDArray[np.uint8], on: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    low = ndimage.minimum_filter(np.where(numbers > 0, numbers, 255), size=2)
    high = ndimage.maximum_filter(numbers, size=2)
    borders: npt.NDArray[np.bool_] = (low < high) & on & (numbers > 0)
    return borders


def _names(numbers: npt.NDArray[np.uint8], segments: LabelMap) -> list[tuple[str, float, float]]:
    found = []
    for segment in segments.segments:
        inside = numbers == segment.label
        if inside.sum() >= _LEAST_PIXELS:
            depth = ndimage.distance_transform_edt(inside)
            row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
            found.append((_roman(segment.label), float(row), float(column)))
    return found


def _roman(number: int) -> str:
    """Couinaud's way to write segments.

    >>> [_roman(n) for n in (1, 4, 8)]
    ['I', 'IV', 'VIII']
    """
    return ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII")[number]
