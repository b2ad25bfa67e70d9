"""Planes for a liver without tumours: halves by landmarks, or by shape alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import PlaneResection
from surgplan.planning._samples import Samples
from surgplan.volume import BILIARY, VENA_CAVA, Segment

_LEFT = np.array([1.0, 0.0, 0.0])
_THIRD = 1 / 3

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GeometricCut:
    """A named plane, and why it lies where it lies; a spare one serves where others are alike."""

    name: str
    plane: PlaneResection
    why: str
    spare: bool = False


def geometric_cuts(prepared: PreparedLiver, samples: Samples) -> tuple[GeometricCut, ...]:
    """Right half, left half and left third of a liver that has no tumour; spare, a right third.

    The halves meet in the plane from the middle of the gallbladder to the vena cava (Cantlie's
    line) where both are there, else in the plane across the liver's longest axis that halves its
    volume. None of them follows vessel territories.
    """
    left, middle, words = _cantlie(prepared) or _principal(samples.fine)
    along = samples.fine @ left
    left_third = float(np.quantile(along, 1 - _THIRD))
    right_third = float(np.quantile(along, _THIRD))
    centre = samples.fine.mean(axis=0)
    shape_only = "geometric: it does not follow the territories of vessels"
    return (
        GeometricCut(
            name="right-half-geometric",
            plane=_plane(centre, -left, -middle),
            why=f"No tumour is there to clear. Right of {words}; {shape_only}",
        ),
        GeometricCut(
            name="left-half-geometric",
            plane=_plane(centre, left, middle),
            why=f"No tumour is there to clear. Left of {words}; {shape_only}",
        ),
        GeometricCut(
            name="left-third-geometric",
            plane=_plane(centre, left, left_third),
            why=f"No tumour is there to clear. The leftmost third of the volume; {shape_only}",
        ),
        GeometricCut(
            name="right-third-geometric",
            plane=_plane(centre, -left, -right_third),
            why=f"No tumour is there to clear. The rightmost third of the volume; {shape_only}",
            spare=True,
        ),
    )


def _plane(centre: Points, normal: Values, start: float) -> PlaneResection:
    x, y, z = (float(v) for v in centre + normal * (start - centre @ normal))
    a, b, c = (float(v) for v in normal)
    return PlaneResection(point_mm=(x, y, z), normal=(a, b, c))


def _cantlie(prepared: PreparedLiver) -> tuple[Values, float, str] | None:
    """Normal to the left, place along it, and words; None without both landmarks."""
    cava, biliary = _points(prepared, VENA_CAVA), _points(prepared, BILIARY)
    if cava is None or biliary is None:
        return None
    centre = cava.mean(axis=0)
    axis = np.linalg.svd(cava[::10] - centre, full_matrices=False)[2][0]
    normal = np.cross(axis, biliary.mean(axis=0) - centre)
    length = float(np.linalg.norm(normal))
    if length < 1.0:  # the gallbladder lies on the axis of the vein: no plane through both
        return None
    normal = normal / length
    left: Values = normal if normal @ _LEFT > 0 else -normal
    return left, float(centre @ left), "the plane from the gallbladder to the vena cava"


def _principal(liver: Points) -> tuple[Values, float, str]:
    centre = liver.mean(axis=0)
    axis = np.linalg.svd(liver - centre, full_matrices=False)[2][0]
    left: Values = axis if axis @ _LEFT > 0 else -axis
    middle = float(np.median(liver @ left))
    return left, middle, "the plane across the liver's longest axis that halves its volume"


def _points(prepared: PreparedLiver, wanted: Segment) -> Points | None:
    return next((s.points_mm for s in prepared.structures if s.segment == wanted), None)
