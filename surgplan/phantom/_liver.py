"""The liver in template coordinates, and its eight segments after Couinaud.

The right and left livers meet at the plane of the middle hepatic vein, sectors at those of the
right vein and of the umbilical fissure, upper and lower segments at the level of the portal
bifurcation and at the left vein; the caudate lobe lies before the vena cava. Couinaud 1957;
terminology of Brisbane 2000 (doi:10.1080/136518200750041928).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.phantom import _torso
from surgplan.phantom._individual import Individual
from surgplan.phantom._shapes import Array, common, ellipsoid, tube, union, without

CAVA = np.array(
    [(-18, -2, -125), (-20, 1, -60), (-22, 2, -10), (-22, 0, 30), (-20, -7, 60), (-18, -16, 92)],
    dtype=np.float64,
)
"""Template midline of the vena cava, from below to the heart."""

CAVA_RADII_MM = np.array([10.5, 11.0, 11.5, 11.5, 12.5, 13.0])


def right_kidney(p: Array) -> Array:
    """Kidney behind the right lobe, which it indents."""
    tilt = np.vstack([p[0] + 0.16 * (p[2] + 48), p[1] - 0.12 * (p[2] + 48), p[2]])
    bean = ellipsoid(tilt, (-60, 44, -48), (25, 27, 53), turn_deg=35)
    return without(bean, ellipsoid(tilt, (-40, 30, -48), (11, 9, 14)), 8.0)


def gallbladder(p: Array) -> Array:
    """Gallbladder in its bed between segments IV and V."""
    neck = tube(p, np.array([-40.0, -32, -12]), np.array([-47.0, -45, -22]), np.array([4.5, 8.0]))
    body = tube(p, np.array([-47.0, -45, -22]), np.array([-58.0, -63, -38]), np.array([9.0, 14.5]))
    return union(neck, body, 6.0)


def liver(p: Array, individual: Individual) -> Array:
    """Distance to the liver: lobes joined smoothly, bounded by the cavity and the organs below."""
    right, tip, medial, left = individual.liver
    f = ellipsoid(p, (-76, 2, 10), np.array([75, 82, 84]) * right)
    f = union(f, ellipsoid(p, (-94, 10, -40), np.array([34, 46, 44]) * tip), 24.0)
    f = union(f, ellipsoid(p, (-24, -46, 22), np.array([48, 44, 44]) * medial), 18.0)
    f = union(f, ellipsoid(p, (22, -47, 26), np.array([60, 40, 37]) * left), 16.0)
    taper = np.array([25.0, 14.0]) * left
    f = union(f, tube(p, np.array([30.0, -44, 32]), np.array([74.0, -36, 38]), taper), 16.0)
    f = _hollowed(f, p)
    f = union(f, ellipsoid(p, (-5, -9, 24), (15, 11, 27)), 5.0)
    f = common(f, _torso.abdomen(p, individual.fat_mm) + 0.2, 4.0)
    return without(f, _cava(p) - 1.0, 3.0)


def _cava(p: Array) -> Array:
    pieces = zip(CAVA[1:-2], CAVA[2:-1], CAVA_RADII_MM[1:-2], CAVA_RADII_MM[2:-1], strict=True)
    f = np.full(p.shape[1], np.inf)
    for a, b, ra, rb in pieces:
        np.minimum(f, tube(p, a, b, np.array([ra, rb])), out=f)
    return f


def _hollowed(f: Array, p: Array) -> Array:
    """Impressions of kidney, spine, stomach and gallbladder; hilum and fissures."""
    f = without(f, right_kidney(p) - 4, 8.0)
    f = without(f, ellipsoid(p, (-50, 76, -42), (40, 58, 68)), 14.0)
    f = without(f, ellipsoid(p, (6, 30, 0), (36, 34, 200)), 14.0)
    f = without(f, ellipsoid(p, (52, 8, 16), (56, 34, 46)), 14.0)
    f = without(f, ellipsoid(p, (-14, -22, -46), (42, 34, 42)), 16.0)
    f = without(f, gallbladder(p) - 1.5, 5.0)
    hilum = tube(p, np.array([-44.0, -19, -4]), np.array([-25.0, -26, 3]), np.array([6.0, 7.0]))
    f = without(f, hilum, 6.0)
    falciform = ellipsoid(p, (4, -70, -18), (2.6, 30, 32), turn_deg=-8)
    venous = ellipsoid(p, (4, -22, 26), (24, 2.2, 24), turn_deg=12)
    return without(without(f, falciform, 4.0), venous, 3.0)


def segments(p: Array) -> npt.NDArray[np.uint8]:
    """Couinaud number 1..8 of template points, wherever they lie."""
    x, y, z = p
    middle = (x + 20) * 0.86 - (y - 2) * 0.51  # > 0 left of the middle hepatic vein
    behind = (x + 20) * 0.08 + (y - 2) * 0.997  # > 0 behind the right hepatic vein
    umbilical = (x - 1) + (y + 50) * 0.16  # > 0 left of the umbilical fissure
    left_vein = (y + 46) * 0.6 + (z - 30) * 0.8  # > 0 above and behind the left vein
    upper = z - 2 + 0.1 * (x + 60)  # > 0 above the portal bifurcation
    number = np.where(upper > 0, np.where(behind > 0, 7, 8), np.where(behind > 0, 6, 5))
    left = np.where(umbilical > 0, np.where(left_vein > 0, 2, 3), 4)
    number = np.where(middle > 0, left, number)
    number[caudate(p)] = 1
    return number.astype(np.uint8)


def caudate(p: Array) -> npt.NDArray[np.bool_]:
    """Whether template points lie in the caudate lobe."""
    x, y, z = p
    before = y + 20 - 0.21 * (x + 10)  # > 0 behind the fissure of the venous ligament
    inside: npt.NDArray[np.bool_] = (before > 0) & (x > -30) & (x < 30) & (z < 50) & (z > -20)
    return inside
