"""Where a voxel grid lies in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError

_POSITIVE = "LPS"
_NEGATIVE = "RAI"


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """A regular voxel grid placed in the patient (LPS millimetres).

    World axes are those of DICOM: +x left, +y posterior, +z superior. The diagonal of the affine
    never means spacing, because array axes run (slice, row, column) and the world runs x, y, z.

    Attributes
    ----------
    shape
        Voxels along each array axis ``(slice, row, column)``.
    affine
        ``(4, 4)`` float64, array index ``(slice, row, column, 1)`` to LPS millimetres; read-only.

    Raises
    ------
    UsageError
        If the shape is not three positive integers or the affine cannot be inverted.

    Examples
    --------
    >>> grid = Geometry.from_spacing(shape=(10, 20, 30), spacing_mm=(5.0, 0.8, 0.8))
    >>> grid.spacing_mm
    (5.0, 0.8, 0.8)
    >>> round(grid.voxel_volume_mm3, 6)
    3.2
    >>> grid.axis_codes
    'SPL'
    """

    shape: tuple[int, int, int]
    affine: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1 or shape != tuple(self.shape):
            msg = f"`shape` must be three positive integers, got {self.shape}"
            raise UsageError(msg)
        affine = np.array(self.affine, dtype=np.float64)  # a copy: the caller keeps no handle
        if affine.shape != (4, 4) or not np.array_equal(affine[3], (0, 0, 0, 1)):
            msg = f"`affine` must be (4, 4) and end in (0, 0, 0, 1), got {affine.tolist()}"
            raise UsageError(msg)
        if not np.isfinite(affine).all():
            msg = f"`affine` must be finite, got {affine.tolist()}"
            raise UsageError(msg)
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not (lengths > 0).all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
            msg = f"`affine` must be invertible, got {affine[:3, :3].tolist()}"
            raise UsageError(msg)
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_spacing(
        cls,
        *,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Geometry:
        """Straight axial grid: slices run superior, rows posterior, columns left.

        Parameters
        ----------
        shape
            Voxels along ``(slice, row, column)``.
        spacing_mm
            Millimetres along ``(slice, row, column)``.
        origin_mm
            LPS ``(x, y, z)`` of the centre of voxel ``(0, 0, 0)``.
        """
        affine = np.eye(4)
        affine[:3, :3] = np.diag(spacing_mm)[::-1]
        affine[:3, 3] = origin_mm
        return cls(shape=shape, affine=affine)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.shape == other.shape and bool(np.array_equal(self.affine, other.affine))

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Millimetres between voxel centres along (slice, row, column)."""
        slices, rows, columns = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(slices), float(rows), float(columns)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel; the determinant may be negative."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """``(3, 3)`` unit vectors in LPS, one column per array axis."""
        directions: npt.NDArray[np.float64] = self.affine[:3, :3] / np.asarray(self.spacing_mm)
        return directions

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes are perpendicular (no gantry tilt, no shear)."""
        return bool(np.allclose(self.directions.T @ self.directions, np.eye(3), atol=1e-4))

    @property
    def axis_codes(self) -> str:
        """Where each array axis points, nearest of L/R, P/A, S/I: ``'SPL'`` is a straight axial CT.

        Each world axis is used once, the most nearly parallel pair being matched first.
        """
        codes = [""] * 3
        remaining = np.abs(self.directions)
        for _ in range(3):
            world, axis = np.unravel_index(int(np.argmax(remaining)), (3, 3))
            letters = _POSITIVE if self.affine[world, axis] > 0 else _NEGATIVE
            codes[axis] = letters[world]
            remaining[world, :] = -1
            remaining[:, axis] = -1
        return "".join(codes)

    @property
    def centre_mm(self) -> npt.NDArray[np.float64]:
        """LPS ``(x, y, z)`` of the middle of the grid."""
        return self.to_lps((np.asarray(self.shape) - 1) / 2)

    def to_lps(self, indices: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Array indices ``(..., 3)`` as (slice, row, column) to LPS millimetres ``(..., 3)``."""
        points: npt.NDArray[np.float64] = (
            np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]
        )
        return points

    def to_index(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """LPS millimetres ``(..., 3)`` to fractional array indices ``(..., 3)``."""
        inverse = np.linalg.inv(self.affine[:3, :3])
        indices: npt.NDArray[np.float64] = (
            np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        ) @ inverse.T
        return indices

    def matches(self, other: Geometry, *, atol_mm: float = 1e-3) -> bool:
        """Whether two grids coincide, every corner within ``atol_mm``."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1)
        offset = (self.affine - other.affine) @ np.vstack([corners, np.ones(8)])
        return bool(np.abs(offset).max() <= atol_mm)

    def with_spacing(self, spacing_mm: tuple[float, float, float]) -> Geometry:
        """The same box of tissue on another spacing; outer voxel faces stay where they are.

        The far faces move by less than one new voxel where the box is no whole multiple of it.
        """
        old = np.asarray(self.spacing_mm)
        new = np.asarray(spacing_mm, dtype=np.float64)
        if new.shape != (3,) or not (new > 0).all():
            msg = f"`spacing_mm` must be three positive numbers, got {spacing_mm}"
            raise UsageError(msg)
        shape = np.maximum(1, np.ceil(np.asarray(self.shape) * old / new - 1e-6)).astype(int)
        affine = self.affine.copy()
        affine[:3, :3] = self.directions * new
        first_face = self.to_lps((-0.5, -0.5, -0.5))
        affine[:3, 3] = first_face + affine[:3, :3] @ np.full(3, 0.5)
        return Geometry(shape=(int(shape[0]), int(shape[1]), int(shape[2])), affine=affine)

    def window(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Geometry:
        """The grid of voxels ``start`` up to and without ``stop``; may reach outside this grid."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_lps(start)
        shape = (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2])
        return Geometry(shape=shape, affine=affine)
