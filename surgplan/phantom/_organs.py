"""The organs around the liver in template coordinates, but for tubes, which are in LPS."""

from __future__ import annotations

import numpy as np

from surgplan.phantom import _torso
from surgplan.phantom._individual import Individual, random_stream
from surgplan.phantom._shapes import Array, Tubes, common, ellipsoid, spline, tubes, without


def left_kidney(p: Array) -> Array:
    """Left kidney, a little higher than the right."""
    tilt = np.vstack([p[0] - 0.16 * (p[2] + 30), p[1] - 0.12 * (p[2] + 30), p[2]])
    bean = ellipsoid(tilt, (62, 46, -30), (25, 27, 54), turn_deg=-35)
    return without(bean, ellipsoid(tilt, (42, 32, -30), (11, 9, 14)), 8.0)


def renal_sinus(p: Array) -> Array:
    """Fat in the middle of both kidneys."""
    right = np.vstack([p[0] + 0.16 * (p[2] + 48), p[1], p[2]])
    left = np.vstack([p[0] - 0.16 * (p[2] + 30), p[1], p[2]])
    return np.minimum(
        ellipsoid(right, (-50, 37, -48), (11, 6.5, 22), turn_deg=35),
        ellipsoid(left, (52, 39, -30), (11, 6.5, 22), turn_deg=-35),
    )


def spleen(p: Array, individual: Individual) -> Array:
    """Spleen under the left dome, hollowed towards the stomach and the kidney."""
    f = ellipsoid(p, (97, 34, 22), (31, 52, 52), turn_deg=18)
    f = without(f, ellipsoid(p, (62, 14, 10), (36, 34, 50)), 14.0)
    f = without(f, left_kidney(p) - 4, 10.0)
    return common(f, _torso.abdomen(p, individual.fat_mm) + 3, 8.0)


def stomach(individual: Individual) -> Tubes:
    """Stomach from fundus to pylorus."""
    path = [(58, 22, 44), (62, 4, 30), (62, -22, 10), (54, -46, -14), (30, -62, -28), (4, -60, -28),
            (-16, -50, -20)]  # fmt: skip
    radii = np.interp(np.linspace(0, 1, 7), np.linspace(0, 1, 7), [27, 32, 29, 25, 19, 15, 9])
    return _bowel(individual, path, radii)


def duodenum(individual: Individual) -> Tubes:
    """Duodenum around the head of the pancreas, under the mesenteric vessels."""
    path = [(-18, -49, -21), (-36, -34, -20), (-46, -16, -34), (-44, -10, -62), (-34, -12, -82),
            (0, -14, -88), (28, -16, -80), (36, -26, -58)]  # fmt: skip
    return _bowel(individual, path, np.array([9, 12, 12, 12, 12, 10, 11, 11]))


def colon(individual: Individual) -> Tubes:
    """Colon framing the abdomen, with haustra."""
    path = [(-106, 8, -150), (-104, 4, -112), (-86, -26, -88), (-58, -52, -86), (-14, -59, -84),
            (34, -59, -74), (70, -50, -46), (94, -26, -22), (112, 2, -40), (114, 14, -90),
            (112, 16, -150)]  # fmt: skip
    radii = np.array([24, 24, 20, 19, 18, 18, 18, 18, 16, 15, 15])
    line = _bowel(individual, path, radii)
    wave = 1 + 0.13 * np.sin(np.arange(len(line.radii) + 1) * 1.35 + individual.seed)
    haustra = line.radii * np.column_stack([wave[:-1], wave[1:]])
    return Tubes(starts=line.starts, ends=line.ends, radii=haustra)


def small_bowel(individual: Individual) -> Tubes:
    """Seeded loops below the stomach."""
    random = random_stream(individual.seed, 2)
    loops = []
    for level, depth in ((-66, -30), (-92, -56), (-94, -16), (-120, -36)):
        count = 9
        x = np.linspace(74, -62 if level < -80 else 10, count)
        y = depth + 13 * np.tile((-1, 1), count)[:count]
        knots = np.column_stack([x, y, np.full(count, level)]) + random.normal(0, 6, (count, 3))
        radius = random.uniform(8.5, 13.5, size=count)
        loops.append(_bowel(individual, knots, radius))
    return Tubes(
        starts=np.vstack([t.starts for t in loops]),
        ends=np.vstack([t.ends for t in loops]),
        radii=np.vstack([t.radii for t in loops]),
    )


def pancreas(individual: Individual) -> Tubes:
    """Pancreas from the head in the duodenum's bend to the tail at the spleen, lobulated."""
    path = [(-32, -22, -64), (-30, -26, -46), (-14, -38, -38), (10, -38, -30), (38, -22, -20),
            (66, 2, -6), (80, 16, 2)]  # fmt: skip
    line = _bowel(individual, path, np.array([11, 15, 9, 9, 10, 10, 7]))
    lobes = 1 + 0.12 * np.sin(np.arange(len(line.radii) + 1) * 2.1)
    return Tubes(
        starts=line.starts,
        ends=line.ends,
        radii=line.radii * np.column_stack([lobes[:-1], lobes[1:]]),
    )


def _bowel(individual: Individual, path: object, radii_mm: Array) -> Tubes:
    """A tube along template points, with the radius between them."""
    knots = np.asarray(path, dtype=np.float64)
    line = spline(np.column_stack([knots, radii_mm])[:, :3], step_mm=6.0)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at_knots = [along[np.argmin(np.linalg.norm(line - k, axis=1))] for k in knots]
    return tubes((individual.place(line), np.interp(along, at_knots, radii_mm)))
