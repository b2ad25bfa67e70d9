"""What territories take of a liver, voxel by voxel, by the vessel next to each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._kinds import TwoStageResection, UnionResection
from surgplan.planning._nearest import nearest_nodes
from surgplan.planning._resection import Resection
from surgplan.planning._territory_resection import TerritoryResection

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

_OURS, _THEIRS = 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Owned:
    """The territories in a resection, and what else it takes.

    Attributes
    ----------
    territories
        Those whose boundary may be a cut; those of one tree are joined to one.
    rest
        All other parts of the resection; None without any.
    resected
        ``(blocks, voxels per block)`` which voxels belong to a territory.
    divided
        ``(blocks, voxels per block)`` which have tissue and may be divided by the boundary of
        one: they touch a voxel of the other side across a face, an edge or a corner.
    """

    territories: tuple[TerritoryResection, ...]
    rest: Resection | None
    resected: Mask
    divided: Mask

    @classmethod
    def of(cls, resection: Resection, blocks: Blocks) -> Owned | None:
        """None where a resection takes no territory."""
        parts = list(_alone(resection))
        territories = [p for p in parts if isinstance(p, TerritoryResection)]
        if not territories:
            return None
        others = tuple(p for p in parts if not isinstance(p, TerritoryResection))
        resected, divided = np.zeros((2, *blocks.tissue.shape), dtype=bool)
        bounded = []
        for territory, taken in _joined(territories):
            nodes, nearest = nearest_nodes(territory.tree, blocks)
            own = np.isin(nodes.branch, list(taken))[nearest]
            resected |= own
            if len(taken) < len(territory.tree.branches):
                bounded.append(replace(territory, branches=tuple(sorted(taken))))
                divided |= _divided(own, blocks)
        return cls(
            territories=tuple(bounded),
            rest=UnionResection(parts=others) if others else None,
            resected=resected,
            divided=divided,
        )

    @property
    def whole(self) -> Mask:
        """``(blocks,)`` whether the territories take all of a block, or nothing."""
        same = (self.resected == self.resected[:, :1]).all(axis=1)
        whole: Mask = ~self.divided.any(axis=1) & same
        return whole

    def planes_mm(self, points_mm: Points) -> tuple[Values, Points]:
        """As `TerritoryResection.planes_mm`, of the territory that reaches farthest."""
        distance, normals = np.full(len(points_mm), np.inf), np.zeros((len(points_mm), 3))
        for territory in self.territories:
            own, across = territory.planes_mm(points_mm)
            nearer = own < distance
            distance[nearer], normals[nearer] = own[nearer], across[nearer]
        return distance, normals


def _alone(resection: Resection) -> Iterator[Resection]:
    """The parts of unions within unions."""
    if isinstance(resection, UnionResection | TwoStageResection):
        for part in resection.parts:
            yield from _alone(part)
    else:
        yield resection


def _joined(
    territories: list[TerritoryResection],
) -> Iterator[tuple[TerritoryResection, frozenset[int]]]:
    """One territory of each tree, and all branches that are taken of it."""
    rest = list(territories)
    while rest:
        first = rest[0]
        alike = [
            t for t in rest if t.tree is first.tree or t.tree.to_dict() == first.tree.to_dict()
        ]
        rest = [t for t in rest if not any(t is other for other in alike)]
        yield first, frozenset().union(*(t.taken for t in alike))


def _divided(own: Mask, blocks: Blocks) -> Mask:
    """Voxels with tissue next to one on the other side."""
    shape = np.asarray(blocks.geometry.shape)
    steps = np.array([shape[1] * shape[2], shape[2], 1])
    place = (blocks.first @ steps)[:, None] + blocks.offsets @ steps
    sides = np.zeros(int(shape.prod()), dtype=np.uint8)
    sides[place] = np.where(own, np.uint8(_OURS), np.uint8(_THEIRS))
    around = sides.reshape(tuple(shape))
    for axis in range(3):
        spread = around.copy()
        low = tuple(slice(0, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        spread[low] |= around[high]
        spread[high] |= around[low]
        around = spread
    divided: Mask = (around.ravel()[place] == _OURS | _THEIRS) & (blocks.tissue > 0)
    return divided
