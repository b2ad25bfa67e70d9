"""Where lesions lie: inside the liver, apart from each other, touching vessels as asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom._individual import random_stream
from surgplan.phantom._lesions import Lesion, LesionSpec
from surgplan.phantom._routes import LiverSpace, Obstacles
from surgplan.phantom._shapes import Array
from surgplan.phantom._vessels import Trunk

MARGIN_MM = 1.5
"""Liver left between a lesion and the surface, so that its whole volume lies inside."""

FREE_MM = 5.0
GATE_MM = 10.0
"""Liver left between a lesion and a point where a portal trunk ends and its tree begins."""

PUSH_MM = 3.0
"""How far a lesion may be moved to touch a vessel."""

_TRIES = 6000
_SHRINKS = 5


def place_lesions(
    specs: tuple[LesionSpec, ...], space: LiverSpace, trunks: tuple[Trunk, ...]
) -> tuple[Lesion, ...]:
    """Lesions at seeded places, the largest first, inside the liver and apart from each other.

    Raises
    ------
    UsageError
        If one finds no place; ask for fewer or smaller ones.
    """
    random = random_stream(space.individual.seed, 6)
    candidates = space.inner_points(3.0)
    found: dict[int, Lesion] = {}
    for number in sorted(range(len(specs)), key=lambda i: -specs[i].radius_mm):
        lesion = _shape(number, specs[number], random)
        points = candidates[random.integers(0, len(candidates), _TRIES)]
        points = points + random.uniform(-1.5, 1.5, points.shape)
        points = points[_has_room(points, lesion, space, tuple(found.values()))]
        found[number] = _placed(lesion, points, trunks)
    return tuple(found[i] for i in range(len(specs)))


def place_drawn(
    specs: tuple[LesionSpec, ...], space: LiverSpace, trunks: tuple[Trunk, ...]
) -> tuple[Lesion, ...]:
    """As `place_lesions`, but lesions that nobody asked for in millimetres shrink until they fit.

    Raises
    ------
    UsageError
        If they are too many for the liver.
    """
    for _ in range(_SHRINKS):
        try:
            return place_lesions(specs, space, trunks)
        except UsageError:
            specs = tuple(replace(spec, radius_mm=0.8 * spec.radius_mm) for spec in specs)
    return place_lesions(specs, space, trunks)


def _shape(number: int, spec: LesionSpec, random: np.random.Generator) -> Lesion:
    """A lesion at the origin with seeded proportions; cysts are balls."""
    stretch = np.exp(random.normal(0, 0.0 if spec.kind == "cyst" else 0.09, 3))
    stretch /= np.prod(stretch) ** (1 / 3)
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return Lesion(
        number=number + 1,
        spec=spec,
        centre_mm=np.zeros(3),
        semi_axes_mm=spec.radius_mm * stretch,
        axes=axes,
    )


def _has_room(
    points: Array, lesion: Lesion, space: LiverSpace, others: tuple[Lesion, ...]
) -> npt.NDArray[np.bool_]:
    """At which points the lesion lies inside the liver and apart from other lesions."""
    largest = float(lesion.semi_axes_mm.max())
    push = 0.0 if lesion.spec.contact == "free" else PUSH_MM
    good = space.depth_mm(points) > largest + MARGIN_MM + push
    for other in others:
        apart = np.linalg.norm(points - other.centre_mm, axis=1)
        good &= apart > largest + float(other.semi_axes_mm.max()) + 4 + push
    room: npt.NDArray[np.bool_] = good
    return room


def _placed(lesion: Lesion, points: Array, trunks: tuple[Trunk, ...]) -> Lesion:
    """The lesion at the first point that fits the contact asked for, pushed against its trunk."""
    largest, spec = float(lesion.semi_axes_mm.max()), lesion.spec
    gates = np.array([t.points_mm[-1] for t in trunks if t.system == "portal"])
    to_gate = np.linalg.norm(points[:, None] - gates, axis=2).min(axis=1)
    points = points[to_gate > largest + GATE_MM]
    gaps = np.stack([_gaps(points, t.points_mm, t.radius_mm) for t in trunks], axis=1) - largest
    if spec.contact == "free":
        hits = np.flatnonzero(gaps.min(axis=1) > FREE_MM)
    else:
        firm = [_gaps(points, t.points_mm[: t.firm], t.radius_mm) for t in trunks]
        nearest = np.stack(firm, axis=1).min(axis=1) - largest
        alone = np.sort(gaps, axis=1)[:, 1] > PUSH_MM + 1.0
        hits = np.flatnonzero((np.abs(nearest - gaps.min(axis=1)) < 0.1) & alone
                              & (np.abs(nearest) < PUSH_MM))  # fmt: skip
    if not len(hits):
        msg = (
            f"no place left for a lesion of radius {spec.radius_mm} mm with contact "
            f"{spec.contact!r}; ask for fewer or smaller lesions"
        )
        raise UsageError(msg)
    at = replace(lesion, centre_mm=points[hits[0]])
    return at if spec.contact == "free" else _against(at, trunks[int(gaps[hits[0]].argmin())])


def _gaps(points: Array, line: Array, radius_mm: float) -> Array:
    """From points to the wall of a trunk."""
    gaps: Array = np.linalg.norm(points[:, None] - line, axis=2).min(axis=1) - radius_mm
    return gaps


def _against(lesion: Lesion, trunk: Trunk) -> Lesion:
    """The lesion pushed against a trunk, or onto it."""
    abutting = lesion.spec.contact == "abutting"
    overlap = 0.4 if abutting else min(3.0, 0.3 * lesion.spec.radius_mm)
    for _ in range(4):  # the nearest point of the trunk may change on the way
        gaps = lesion.distance_mm(trunk.points_mm) - trunk.radius_mm
        nearest = int(np.argmin(gaps))
        towards = trunk.points_mm[nearest] - lesion.centre_mm
        step = (gaps[nearest] + overlap) * towards / np.linalg.norm(towards)
        lesion = replace(lesion, centre_mm=lesion.centre_mm + step)
    return lesion


def obstacles(lesions: tuple[Lesion, ...]) -> Obstacles:
    """Balls around the lesions, for vessels to grow around."""
    if not lesions:
        return Obstacles()
    return Obstacles(
        centres=np.array([lesion.centre_mm for lesion in lesions]),
        radii=np.array([float(lesion.semi_axes_mm.max()) + 0.8 for lesion in lesions]),
    )
