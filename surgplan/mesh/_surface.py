"""The surface of a structure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.mesh._topology import is_closed_manifold
from surgplan.volume import Segment


@dataclass(frozen=True, kw_only=True, eq=False)
class Surface:
    """Triangles around a structure, in LPS millimetres.

    Attributes
    ----------
    points
        ``(n, 3)`` float64, LPS ``(x, y, z)`` in millimetres; read-only.
    triangles
        ``(m, 3)`` int32, rows of ``points``, counter-clockwise seen from outside; read-only.
    segment
        The structure.

    Raises
    ------
    UsageError
        If there is no triangle, a coordinate is not finite or a triangle names a missing point.

    Examples
    --------
    >>> from surgplan.volume import LIVER_TUMOUR
    >>> corners = [(0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 30)]
    >>> faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    >>> tetrahedron = Surface(points=corners, triangles=faces, segment=LIVER_TUMOUR)
    >>> tetrahedron.is_closed, round(tetrahedron.volume_ml, 6)
    (True, 0.5)
    """

    points: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.int32]
    segment: Segment

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float64, order="C")
        if points.ndim != 2 or points.shape[1] != 3:
            msg = f"`points` must be (n, 3), got {points.shape}"
            raise UsageError(msg)
        if not np.isfinite(points).all():
            msg = f"`points` must be finite, got {int((~np.isfinite(points)).sum())} that are not"
            raise UsageError(msg)
        triangles = _checked_triangles(self.triangles, len(points))
        points.flags.writeable = False
        triangles.flags.writeable = False
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "triangles", triangles)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Surface):
            return NotImplemented
        return (
            self.segment == other.segment
            and bool(np.array_equal(self.points, other.points))
            and bool(np.array_equal(self.triangles, other.triangles))
        )

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def is_closed(self) -> bool:
        """Whether it bounds a solid: every edge in exactly two triangles, no touching tips."""
        return is_closed_manifold(self.triangles)

    @cached_property
    def volume_ml(self) -> float:
        """Millilitres inside, by the divergence theorem; negative where triangles face inwards.

        Raises `UsageError` for a surface that is not closed, because it has no inside.
        """
        if not self.is_closed:
            msg = f"volume needs a closed surface, but that of {self.segment.name!r} is open"
            raise UsageError(msg)
        a, b, c = self._corners()
        return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6000

    @cached_property
    def area_mm2(self) -> float:
        """Square millimetres of all triangles together."""
        a, b, c = self._corners()
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2

    @property
    def bounds_mm(self) -> npt.NDArray[np.float64]:
        """``(2, 3)`` lowest and highest LPS ``(x, y, z)``."""
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    @cached_property
    def normals(self) -> npt.NDArray[np.float64]:
        """``(n, 3)`` unit normals at the points, area-weighted, outward; read-only.

        Zero for a point of no triangle.
        """
        a, b, c = self._corners()
        normals = _at_points(np.cross(b - a, c - a), self.triangles, len(self.points))
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals /= np.where(length > 0, length, 1)
        normals.flags.writeable = False
        return normals

    def _corners(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Three ``(m, 3)`` arrays of corners, about the middle so that sums keep their digits."""
        centred = self.points - self.points.mean(axis=0)
        return tuple(centred[self.triangles[:, corner]] for corner in range(3))


def _checked_triangles(triangles: npt.ArrayLike, count: int) -> npt.NDArray[np.int32]:
    given: npt.NDArray[Any] = np.asarray(triangles)
    if given.ndim != 2 or given.shape[1] != 3 or len(given) == 0:
        msg = f"`triangles` must be (m, 3) with at least one row, got {given.shape}"
        raise UsageError(msg)
    if given.dtype.kind not in "iu":
        msg = f"`triangles` must be integers, got {given.dtype}"
        raise UsageError(msg)
    if given.min() < 0 or given.max() >= count:
        msg = f"`triangles` must lie in 0..{count - 1}, got {given.min()}..{given.max()}"
        raise UsageError(msg)
    return np.array(given, dtype=np.int32, order="C")


def _at_points(
    per_triangle: npt.NDArray[np.float64], triangles: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.float64]:
    """Sums of a vector per triangle at its three corners, ``(count, 3)``."""
    corners = triangles.ravel()
    return np.stack(
        [
            np.bincount(corners, weights=np.repeat(per_triangle[:, axis], 3), minlength=count)
            for axis in range(3)
        ],
        axis=1,
    )
