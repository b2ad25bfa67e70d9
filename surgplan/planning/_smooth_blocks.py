"""A resection's distance within blocks, by quadratic interpolation where that is exact enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._resection import Resection

TRUSTED_MM = 0.02
"""Blocks in which the interpolation is farther off at a test point are worked out exactly."""

_WIDE_MM = 0.01
"""Eight blocks in which it is no farther off are interpolated as one."""

_NODES = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
_OCTANTS = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 3)
_TESTS = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3), axis=-1).reshape(-1, 3)

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SmoothBlocks:
    """Distances at the corners, edges, faces and the middle of some blocks.

    Attributes
    ----------
    rows
        ``(blocks,)`` their places.
    edge
        ``(3,)`` voxels of a block along each axis.
    values
        ``(blocks, 27)`` distances, mm.
    off_mm
        ``(blocks,)`` how far the interpolation is off at test points between the nodes.
    """

    rows: npt.NDArray[np.int64]
    edge: npt.NDArray[np.int64]
    values: Values
    off_mm: Values

    @classmethod
    def of(
        cls, blocks: Blocks, chosen: npt.NDArray[np.int64], resection: Resection
    ) -> tuple[SmoothBlocks, Values]:
        """Look a resection up around some blocks, eight at a time where that is exact enough.

        Also gives the distance ``(chosen,)`` of the middle of each, within 0.01 mm; only those are
        among the result that it may pass by this.
        """
        place = blocks.first[chosen] // blocks.edge
        size = tuple(int(n) for n in place.max(axis=0, initial=0) // 2 + 1)
        key, owner = np.unique(
            np.ravel_multi_index(tuple((place // 2).T), size), return_inverse=True
        )
        first = np.stack(np.unravel_index(key, size), axis=1) * (2 * blocks.edge)
        values, off = _asked(blocks, first, 2 * blocks.edge, resection)
        wide = off[owner] <= _WIDE_MM
        middle = np.empty(len(chosen))
        middle[~wide] = resection.distance_mm(blocks.centre_mm[chosen[~wide]])
        octant = (place % 2) @ np.array([4, 2, 1])
        at_middle = values @ weights(np.asarray(_OCTANTS - 0.5)).T
        middle[wide] = at_middle[owner[wide], octant[wide]]
        near = np.abs(middle) <= blocks.reach_mm
        found = np.empty((len(chosen), len(_NODES)))
        for number, corner in enumerate(_OCTANTS):
            mine = np.flatnonzero(near & wide & (octant == number))
            found[mine] = values[owner[mine]] @ weights(corner - 1 + _NODES / 2).T
        off = off[owner]
        alone = np.flatnonzero(near & ~wide)
        found[alone], off[alone] = _asked(
            blocks, blocks.first[chosen[alone]], blocks.edge, resection
        )
        smooth = cls(rows=chosen, edge=blocks.edge, values=found, off_mm=off)
        return smooth.where(near), middle

    @property
    def trusted(self) -> npt.NDArray[np.bool_]:
        """``(blocks,)`` whether the interpolation holds: not at a crease or a sharp bend."""
        trusted: npt.NDArray[np.bool_] = self.off_mm <= TRUSTED_MM
        return trusted

    def at(self, offsets: Points) -> Values:
        """``(blocks, n)`` distances at places ``(n, 3)``, in voxels from a block's first one."""
        found: Values = self.values @ weights(self._place(offsets)).T
        return found

    def slope(self, offsets: Points, axis: int) -> Values:
        """``(blocks, n)`` change of the distance per voxel along an array axis."""
        found: Values = self.values @ weights(self._place(offsets), axis).T * (2 / self.edge[axis])
        return found

    def nearest(self, blocks: Blocks) -> tuple[npt.NDArray[np.int64], Values]:
        """For each voxel of a block the nearest of the 27 nodes, and how far that is in mm."""
        place = self._place(blocks.offsets.astype(np.float64))
        nodes = np.round(place).astype(np.int64)
        steps = blocks.geometry.affine[:3, :3] * (self.edge / 2)
        away = np.linalg.norm((place - nodes) @ steps.T, axis=1)
        return (nodes + 1) @ np.array([9, 3, 1]), away

    def where(self, chosen: npt.NDArray[np.bool_]) -> SmoothBlocks:
        """Some of the blocks."""
        return SmoothBlocks(
            rows=self.rows[chosen],
            edge=self.edge,
            values=self.values[chosen],
            off_mm=self.off_mm[chosen],
        )

    def _place(self, offsets: Points) -> Points:
        place: Points = (2 * np.asarray(offsets) + 1) / self.edge - 1
        return place


def _asked(
    blocks: Blocks,
    first: npt.NDArray[np.int64],
    edge: npt.NDArray[np.int64],
    resection: Resection,
) -> tuple[Values, Values]:
    """Distances at the nodes of blocks that begin at some voxels, and how far these mislead.

    Neighbours share their corners.
    """
    twice = ((2 * first - 1)[:, None] + _NODES * edge).reshape(-1, 3)  # whole numbers
    low = twice.min(axis=0) if len(twice) else np.zeros(3, dtype=np.int64)
    size = tuple(int(n) for n in (twice - low).max(axis=0, initial=0) + 1)
    key = np.ravel_multi_index(tuple((twice - low).T), size)
    unique, inverse = np.unique(key, return_inverse=True)
    index = (np.stack(np.unravel_index(unique, size), axis=1) + low) / 2
    tests = ((first + (edge - 1) / 2)[:, None] + _TESTS * edge / 2).reshape(-1, 3)
    asked = resection.distance_mm(blocks.geometry.to_lps(np.concatenate([index, tests])))
    values = asked[: len(index)][inverse].reshape(-1, len(_NODES))
    exact = asked[len(index) :].reshape(-1, len(_TESTS))
    return values, np.abs(values @ weights(_TESTS).T - exact).max(axis=1, initial=0.0)


def weights(place: Points, slope_of: int | None = None) -> Values:
    """Weights ``(n, 27)`` of the values at a block's nodes for places ``(n, 3)`` in -1..1.

    ``slope_of`` asks for the derivative along an axis.
    """
    each = []
    for axis in range(3):
        u = place[:, axis]
        if axis == slope_of:
            each.append(np.stack([u - 0.5, -2 * u, u + 0.5], axis=1))
        else:
            each.append(np.stack([u * (u - 1) / 2, 1 - u**2, u * (u + 1) / 2], axis=1))
    found: Values = np.einsum("ni,nj,nk->nijk", *each).reshape(len(place), 27)
    return found
