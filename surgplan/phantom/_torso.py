"""The torso in template coordinates: skin, wall, cavities, diaphragm, lungs, heart and skeleton."""

from __future__ import annotations

import numpy as np

from surgplan.phantom._shapes import Array, column, common, ellipsoid, tube, union, without

WALL_MM = 11.5
"""Thickness of the muscular wall, with two planes of fat in it."""

VERTEBRA_MM = 34.0
RIB_MM = 27.0
DIAPHRAGM_MM = 2.0


def skin(p: Array) -> Array:
    """Distance to the skin: a superellipse in each axial plane, grooved along the spine."""
    x, y, z = p
    waist = 1.0 - 0.035 * np.exp(-(((z + 70) / 45) ** 2))
    u, v = np.abs(x) / (155 * waist), np.abs(y - 1) / np.where(y > 1, 107.0, 113.0 * waist)
    k = (u**2.3 + v**2.3) ** (1 / 2.3) + 1e-9
    radius = (np.hypot(x, y - 1) + 1e-6) / k
    groove = 7.0 * np.exp(-((x / 17) ** 2)) * np.clip((y - 60) / 30, 0, 1)
    distance: Array = (k - 1) * radius + groove
    return distance


def wall(p: Array, fat_mm: float) -> Array:
    """Distance to the outer face of the muscular wall, under fat thicker at flanks and back."""
    x, y, z = p
    low = np.clip(-z / 120, -0.3, 1)
    thick = fat_mm * (1 + 0.25 * low + 0.12 * np.sin(x / 37 + 1) + 0.15 * y / 100)
    distance: Array = skin(p) + thick
    return distance


def back(p: Array) -> Array:
    """The bulge of the spine and the muscles beside it into the abdomen."""
    return column(p, (0, 66), (60, 46))


def domes(p: Array) -> Array:
    """Distance to what lies under both domes of the diaphragm and the tendon between them."""
    z = p[2]
    raised = p.copy()
    raised[2] = np.maximum(z + 8, 0)
    right = ellipsoid(raised, (-63, -6, 0), (79, 98, 91))
    raised[2] = np.maximum(z + 14, 0)
    left = ellipsoid(raised, (64, -2, 0), (76, 96, 84))
    middle = ellipsoid(raised, (4, -28, 0), (74, 80, 60))  # the tendon under the heart
    return union(union(union(right, left, 30.0), middle, 24.0), z + 25, 20.0)


def abdomen(p: Array, fat_mm: float) -> Array:
    """Distance to the abdominal cavity: inside the wall, before the back, under both domes."""
    inner = wall(p, fat_mm) + WALL_MM
    return common(without(inner, back(p), 8.0), domes(p), 10.0)


def diaphragm(p: Array, fat_mm: float) -> Array:
    """Distance to the outer face of the sheet of muscle over the abdomen."""
    return np.maximum(abdomen(p, fat_mm) - DIAPHRAGM_MM, wall(p, fat_mm) + WALL_MM)


def heart(p: Array) -> Array:
    """Heart above the central tendon, seen in the uppermost slices."""
    body = ellipsoid(p, (24, -40, 106), (56, 40, 46), turn_deg=25)
    return union(body, ellipsoid(p, (-22, -24, 112), (24, 30, 36)), 14.0)


def lungs(p: Array, fat_mm: float) -> Array:
    """Both lung bases: inside the ribs, above the diaphragm, beside spine and mediastinum.

    Behind, beside the spine, they end where the domes do and not where the cavity before the back
    does.
    """
    chest = wall(p, fat_mm) + WALL_MM - 1.5
    chest = without(chest, column(p, (0, 52), (24, 40)), 10.0)
    chest = without(chest, common(chest, domes(p), 10.0) - DIAPHRAGM_MM - 0.5, 3.0)
    middle = union(column(p, (3, -8), (20, 42)), column(p, (2, -80), (14, 40)), 10.0)
    chest = without(chest, middle, 10.0)
    return without(chest, heart(p) - 4, 8.0)


def muscles(p: Array, fat_mm: float) -> Array:
    """Muscles beside the spine, psoas and quadratus, inside the wall."""
    x, y, z = np.abs(p[0]), p[1], p[2]
    q = np.vstack([x, y, z])
    erector = column(q, (33, 80), (29, 19))
    groove = x - 3.5  # a plane of fat between right and left
    erector = without(erector, groove, 3.0)
    low = np.clip((-10 - z) / 90, 0, 1)
    psoas = np.hypot((x - 31 - 9 * low) / 1.0, (y - 36) / 1.15) - (4 + 16 * np.sqrt(low))
    quadratus = np.maximum(ellipsoid(q, (58, 58, -90), (20, 9, 70)), z - 0)
    crus = column(q, (15, 14), (5, 11)) + np.maximum(-z - 70, 0) * 0.4 + np.maximum(z - 30, 0) * 0.4
    deep = np.minimum(np.minimum(psoas, quadratus), crus)
    distance: Array = np.maximum(np.minimum(erector, deep), wall(p, fat_mm) + 0.5)
    return distance


def _along_spine(z: Array) -> Array:
    """Height above the middle of the nearest vertebra."""
    return z - VERTEBRA_MM * np.round(z / VERTEBRA_MM)


def disc(p: Array) -> Array:
    """The column of vertebral bodies and discs, waisted at each vertebra."""
    waist = 1.0 - 0.09 * np.cos(2 * np.pi * p[2] / VERTEBRA_MM)
    q = np.vstack([p[0] / waist, p[1], p[2]])
    return column(q, (0, 36), (22.5, 17.5))


def vertebrae(p: Array) -> Array:
    """Vertebral bodies, arches, transverse and spinous processes."""
    h = _along_spine(p[2])
    body = common(disc(p), np.abs(h) - 13.0, 2.0)
    q = np.vstack([np.abs(p[0]), p[1], h])
    ring = np.abs(column(p, (0, 64), (13.5, 12))) - 3.0
    arch = np.maximum(ring, np.abs(h + 2) - 12.0)
    spinous = tube(q, np.array([0.0, 78, -2]), np.array([0.0, 98, -12]), np.array([4.0, 3.5]))
    spinous = np.minimum(
        spinous, tube(q, np.array([0.0, 78, -8]), np.array([0.0, 97, -14]), np.array([3.5, 4.0]))
    )
    side = tube(q, np.array([14.0, 66, 2]), np.array([38.0, 72, 4]), np.array([4.5, 3.5]))
    facet = tube(q, np.array([14.0, 72, -14]), np.array([14.0, 70, 12]), np.array([5.0, 5.0]))
    return np.minimum(union(body, np.minimum(arch, side), 3.0), np.minimum(spinous, facet))


def canal(p: Array) -> Array:
    """The spinal canal."""
    return column(p, (0, 64), (10.5, 9))


def _rib_height(p: Array) -> tuple[Array, Array]:
    """How far round the chest a point lies (0 at the spine, 1 at the breastbone), and how high."""
    turn = np.arctan2(np.abs(p[0]), p[1] - 20) / np.pi
    return turn, p[2] + 88 * np.sin(np.pi * np.clip(turn, 0, 1) / 1.6) - 12


def ribs(p: Array, fat_mm: float) -> Array:
    """Ribs in the wall, each sloping down from the spine to the front; open in front."""
    turn, height = _rib_height(p)
    rise = height - RIB_MM * np.round(height / RIB_MM)
    depth = wall(p, fat_mm) + 6.0
    k = np.sqrt((depth / 3.6) ** 2 + (rise * 0.86 / 6.2) ** 2)
    f = (k - 1) * 4.0
    arch = 40 * np.clip(turn - 0.45, 0, 1) / 0.55 * 3.0 - 70  # lower edge of the rib cage
    ends = np.maximum(arch - p[2], (turn - 0.74) * 150)
    distance: Array = np.maximum(np.maximum(f, ends), (0.10 - turn) * 200)
    return distance


def cartilage(p: Array, fat_mm: float) -> Array:
    """Costal cartilage in front of the bony ribs."""
    turn, height = _rib_height(p)
    rise = height - RIB_MM * np.round(height / RIB_MM)
    depth = wall(p, fat_mm) + 6.0
    f = (np.sqrt((depth / 4.2) ** 2 + (rise * 0.86 / 7.0) ** 2) - 1) * 4.5
    arch = 40 * np.clip(turn - 0.45, 0, 1) / 0.55 * 3.0 - 70
    distance: Array = np.maximum(np.maximum(f, arch - p[2]), (0.735 - turn) * 150)
    return distance


def breastbone(p: Array, fat_mm: float) -> Array:
    """The lower breastbone with its tip."""
    depth = wall(p, fat_mm) + 6.0
    flat = np.sqrt((depth / 4.5) ** 2 + (p[0] / 14.0) ** 2)
    distance: Array = np.maximum((flat - 1) * 5, 58 - p[2])
    return distance


def gullet(p: Array) -> Array:
    """Oesophagus from the chest to the stomach's entry."""
    upper = tube(p, np.array([4.0, 2, 130]), np.array([14.0, -8, 66]), np.array([8.0, 8.0]))
    lower = tube(p, np.array([14.0, -8, 66]), np.array([34.0, -6, 48]), np.array([8.0, 9.0]))
    return np.minimum(upper, lower)
