"""Lesions of the liver: ellipsoids whose volume, centre and distances are known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom._individual import random_stream
from surgplan.phantom._parts import Part, layers
from surgplan.phantom._shapes import Array, Blob
from surgplan.volume import LIVER_CYST, LIVER_TUMOUR, Segment

Kind = Literal["metastasis", "hcc", "haemangioma", "cyst"]
Contact = Literal["free", "abutting", "infiltrating"]


@dataclass(frozen=True, kw_only=True)
class LesionSpec:
    """A lesion that is asked for.

    Attributes
    ----------
    kind
        ``'metastasis'``, ``'hcc'`` and ``'haemangioma'`` count as liver tumour, ``'cyst'`` as cyst.
    radius_mm
        Radius of the ball of the same volume, 1.5 to 45 mm.
    contact
        ``'free'``: at least 5 mm from every named trunk; ``'abutting'``: touching one;
        ``'infiltrating'``: with one running through its edge.
    """

    kind: Kind = "metastasis"
    radius_mm: float = 10.0
    contact: Contact = "free"

    def __post_init__(self) -> None:
        if self.kind not in ("metastasis", "hcc", "haemangioma", "cyst"):
            msg = f"`kind` must be metastasis, hcc, haemangioma or cyst, got {self.kind!r}"
            raise UsageError(msg)
        if not 1.5 <= self.radius_mm <= 45:
            msg = f"`radius_mm` must lie in 1.5..45, got {self.radius_mm}"
            raise UsageError(msg)
        if self.contact not in ("free", "abutting", "infiltrating"):
            msg = f"`contact` must be free, abutting or infiltrating, got {self.contact!r}"
            raise UsageError(msg)


DEFAULT_LESIONS: tuple[LesionSpec, ...] = (
    LesionSpec(kind="metastasis", radius_mm=17.0, contact="abutting"),
    LesionSpec(kind="metastasis", radius_mm=8.0),
    LesionSpec(kind="metastasis", radius_mm=4.5),
    LesionSpec(kind="hcc", radius_mm=13.0, contact="infiltrating"),
    LesionSpec(kind="haemangioma", radius_mm=10.0),
    LesionSpec(kind="cyst", radius_mm=9.0),
)


def random_lesions(count: int, seed: int) -> tuple[LesionSpec, ...]:
    """Lesions of mixed kinds, contacts and lognormal size (radius 3 to 28 mm)."""
    random = random_stream(seed, 5)
    kinds: tuple[Kind, ...] = ("metastasis", "hcc", "haemangioma", "cyst")
    contacts: tuple[Contact, ...] = ("free", "abutting", "infiltrating")
    return tuple(
        LesionSpec(
            kind=kinds[int(random.choice(4, p=(0.55, 0.2, 0.1, 0.15)))],
            radius_mm=round(float(np.clip(random.lognormal(np.log(8), 0.55), 3, 28)), 1),
            contact=contacts[int(random.choice(3, p=(0.7, 0.15, 0.15)))],
        )
        for _ in range(count)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesion:
    """An ellipsoid inside the liver.

    Attributes
    ----------
    number
        1, 2, ... in the order asked for.
    spec
        What was asked for.
    centre_mm
        ``(3,)`` LPS.
    semi_axes_mm
        ``(3,)``; their product is the cube of the radius asked for.
    axes
        ``(3, 3)``, one unit vector in LPS per row, for each semi-axis.
    """

    number: int
    spec: LesionSpec
    centre_mm: npt.NDArray[np.float64]
    semi_axes_mm: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]

    @property
    def volume_ml(self) -> float:
        """Analytic volume."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_mm)) / 1000

    @property
    def segment(self) -> Segment:
        """The structure it counts as."""
        return LIVER_CYST if self.spec.kind == "cyst" else LIVER_TUMOUR

    def distance_mm(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Signed distance from LPS points ``(n, 3)`` to the surface, negative inside; exact."""
        local = (np.asarray(points_mm, dtype=np.float64).reshape(-1, 3) - self.centre_mm).T
        return ellipsoid_distance_mm(self.axes @ local, self.semi_axes_mm)

    def margin_to_plane_mm(self, point_mm: npt.ArrayLike, normal: npt.ArrayLike) -> float:
        """Smallest distance to a plane; negative where the plane cuts the lesion."""
        unit = np.asarray(normal, dtype=np.float64)
        unit = unit / np.linalg.norm(unit)
        reach = float(np.linalg.norm(self.semi_axes_mm * (self.axes @ unit)))
        return abs(float((self.centre_mm - np.asarray(point_mm)) @ unit)) - reach

    def part(self) -> Part:
        """The lesion as a part of the body."""
        semi, axes, centre = self.semi_axes_mm, self.axes, self.centre_mm

        def distance(p: Array) -> Array:
            q = axes @ (p - centre[:, None]) / semi[:, None]
            k = np.sqrt((q * q).sum(axis=0)) + 1e-9
            q /= semi[:, None]
            signed: Array = k * (k - 1) / (np.sqrt((q * q).sum(axis=0)) + 1e-9 / float(semi.min()))
            return signed

        reach = float(semi.max()) + 6
        box = np.array([centre - reach, centre + reach])
        r, kind = self.spec.radius_mm, self.spec.kind
        inside = {
            "metastasis": layers((0, "metastasis rim"), (0.4 * r, "metastasis core")),
            "hcc": layers((0, "capsule"), (min(1.2, 0.2 * r), "hcc")),
            "haemangioma": layers((0, "haemangioma rim"), (0.35 * r, "haemangioma core")),
            "cyst": layers((0, "cyst")),
        }[kind]
        return Part(shape=Blob(distance=distance, box_mm=box), layers=inside, segment=self.segment)


def ellipsoid_distance_mm(local: Array, semi_mm: Array) -> Array:
    """Signed distance of points ``(3, n)``, in the ellipsoid's own axes, to its surface.

    The nearest surface point is s^2 q / (t + s^2) with t the largest root of
    sum (s q / (t + s^2))^2 = 1 (Eberly, Distance from a Point to an Ellipsoid), found by halving.
    """
    s = semi_mm[:, None]
    q = np.maximum(np.abs(local), 1e-9 * float(semi_mm.min()))
    low = np.max(s * q - s**2, axis=0)
    high = np.sqrt(((s * q) ** 2).sum(axis=0)) - float(semi_mm.min()) ** 2
    high = np.maximum(high, low)
    for _ in range(80):
        middle = (low + high) / 2
        outside = ((s * q / (middle + s**2)) ** 2).sum(axis=0) > 1
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    nearest = s**2 * q / (high + s**2)
    gap = np.sqrt(((q - nearest) ** 2).sum(axis=0))
    inside = ((q / s) ** 2).sum(axis=0) < 1
    signed: Array = np.where(inside, -gap, gap)
    return signed
