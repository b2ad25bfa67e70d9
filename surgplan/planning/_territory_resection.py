"""Anatomical resections: what chosen branches serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.errors import CorruptFileError, UsageError
from surgplan.planning._far_tree import far_tree
from surgplan.planning._resection import Points, Vector, control_point
from surgplan.planning._territories import SAMPLE_MM
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import LabelMap

_FAITHFUL_MM = 4.0
_LEAST_MM = 1e-6
_FOOT_STEPS = 2
_MARKS = 40

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TerritoryResection:
    """The territories of some branches with all behind them: segments, sectors or halves.

    A point is resected where a chosen branch, or one behind it, is nearer than any other branch of
    the tree: what `territories` of the metric ``'euclidean'`` gives those branches, with a
    boundary that is exact below the size of a voxel. The tree is saved with the plan, since it
    may have been corrected by hand.

    Attributes
    ----------
    tree
        Portal for an anatomical resection, hepatic for what a vein drains.
    branches
        Places of the chosen branches.

    Raises
    ------
    UsageError
        If there is no such branch, or nothing of the tree would stay.
    """

    kind: ClassVar[str] = "territory"
    tree: VesselTree
    branches: tuple[int, ...]

    def __post_init__(self) -> None:
        branches = tuple(sorted(set(self.branches)))
        count = len(self.tree.branches)
        if not branches or not 0 <= branches[0] <= branches[-1] < count:
            msg = f"`branches` must be places in 0..{count - 1}, got {self.branches}"
            raise UsageError(msg)
        object.__setattr__(self, "branches", branches)
        if len(self.taken) == count:
            msg = (
                f"a territory must leave a branch to the remnant, got {branches} with all "
                f"{count} branches behind them; choose one further out"
            )
            raise UsageError(msg)

    @classmethod
    def labelled(cls, tree: VesselTree, labels: Sequence[str]) -> Self:
        """The territories of branches by name, such as ``'right portal vein'`` or ``'P8'``.

        Raises
        ------
        UsageError
            If the tree has no branch of a name; says which it has.
        """
        missing = [label for label in labels if not tree.labelled(label)]
        if missing:
            known = ", ".join(sorted({b.label for b in tree.branches if b.label}))
            msg = f"`labels` must be names of branches, got {missing}; the tree has {known}"
            raise UsageError(msg)
        return cls(tree=tree, branches=tuple(b for label in labels for b in tree.labelled(label)))

    @cached_property
    def taken(self) -> frozenset[int]:
        """Places of the chosen branches and of all behind them."""
        return frozenset(i for b in self.branches for i in self.tree.subtree(b))

    @property
    def name(self) -> str:
        """What is taken, in words."""
        chosen = [self.tree.branches[b] for b in self.branches]
        words = dict.fromkeys(b.label or f"a branch of order {b.order}" for b in chosen)
        return f"territory of {', '.join(words)}"

    @cached_property
    def _sides(self) -> tuple[cKDTree, cKDTree]:
        """Centrelines of what is resected, and of what stays."""
        points, owner, _ = self.tree.samples(SAMPLE_MM)
        taken = np.isin(owner, list(self.taken))
        return far_tree(points[taken]), far_tree(points[~taken])

    def distance_mm(self, points_mm: Points) -> Values:
        """Signed distances ``(n,)`` of LPS points ``(n, 3)``.

        The boundary is made of planes half-way between a point of a chosen branch and one of
        another; the distance is that to the plane at the foot, up to 4 mm from it. Farther away
        it is half the difference of the two distances, never more than the true one.
        """
        points = np.asarray(points_mm, dtype=np.float64)
        ours, others, first, second = self._pairs(points)
        distance = _to_plane(points, first, second)
        limit = np.maximum(_FAITHFUL_MM, np.abs(ours - others) / 2)
        distance = np.clip(distance, -limit, limit)
        near = np.flatnonzero(np.abs(ours - others) / 2 < _FAITHFUL_MM)
        for _ in range(_FOOT_STEPS):
            ahead = _to_plane(points[near], first[near], second[near])
            foot = points[near] - _normals(first[near], second[near]) * ahead[:, None]
            _, _, a, b = self._pairs(foot)
            there = _to_plane(points[near], a, b)
            better = (there < 0) == (distance[near] < 0)
            better &= np.abs(there) < _FAITHFUL_MM
            better &= (a != first[near]).any(axis=1) | (b != second[near]).any(axis=1)
            near = near[better]
            distance[near], first[near], second[near] = there[better], a[better], b[better]
        return distance

    def planes_mm(self, points_mm: Points) -> tuple[Values, Points]:
        """Distances to the planes between the nearest points on both sides, and their normals.

        Near the cut: the boundary is such a plane wherever its foot has the same nearest points.
        Normals ``(n, 3)`` point to what stays.
        """
        _, _, first, second = self._pairs(points_mm)
        return _to_plane(points_mm, first, second), _normals(first, second)

    def _pairs(self, points: Points) -> tuple[Values, Values, Points, Points]:
        """Distances to the nearest point of ours and of the others, and these points."""
        (ours, a), (others, b) = (side.query(points) for side in self._sides)
        return ours, others, self._sides[0].data[a], self._sides[1].data[b]

    def lower(self, points_mm: Points, distance_mm: Values) -> None:
        """Lower given distances ``(n,)`` in place where this resection's are smaller."""
        np.minimum(distance_mm, self.distance_mm(points_mm), out=distance_mm)

    def to_dict(self) -> dict[str, Any]:
        """Kind, branches and the whole tree."""
        return {"kind": self.kind, "branches": list(self.branches), "tree": self.tree.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], label_map: LabelMap) -> Self:
        """The territories of `to_dict`; the label map plays no part.

        Raises
        ------
        CorruptFileError
            If branches or tree are missing or do not fit.
        """
        branches, tree = data.get("branches"), data.get("tree")
        whole = isinstance(branches, list) and all(type(b) is int for b in branches)
        if not whole or not isinstance(tree, Mapping):
            msg = (
                "a territory needs `branches`, a list of whole numbers, and its `tree`, "
                f"got {branches!r} and {type(tree).__name__}; save the plan again"
            )
            raise CorruptFileError(msg)
        try:
            return cls(tree=VesselTree.from_dict(tree), branches=tuple(branches or ()))
        except UsageError as e:
            msg = f"a territory must fit its tree ({e}); save the plan again"
            raise CorruptFileError(msg) from e

    def markups(self) -> list[dict[str, Any]]:
        """A curve along each chosen branch."""
        return [self._curve(b) for b in self.branches]

    def _curve(self, branch: int) -> dict[str, Any]:
        line = self.tree.branches[branch].points_mm
        step = max(1, len(line) // _MARKS)
        label = self.tree.branches[branch].label or f"branch {branch}"
        return {
            "type": "Curve",
            "coordinateSystem": "LPS",
            "coordinateUnits": "mm",
            "controlPoints": [
                control_point(str(n), label, (float(x), float(y), float(z)))
                for n, (x, y, z) in enumerate(line[::step], start=1)
            ],
        }

    def __eq__(self, other: object) -> bool:
        """Whether another takes the same branches of the same tree."""
        if not isinstance(other, TerritoryResection):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Of the branches."""
        return hash((self.kind, self.branches))


def _to_plane(points: Points, first: Points, second: Points) -> Values:
    """Distance to the planes half-way between two points each, negative on the first's side."""
    height: Values = np.einsum("ij,ij->i", points - (first + second) / 2, _normals(first, second))
    return height


def _normals(first: Points, second: Points) -> Points:
    """Unit vectors from the first to the second of two points each."""
    apart = second - first
    size = np.maximum(np.sqrt(np.einsum("ij,ij->i", apart, apart)), _LEAST_MM)
    normals: Points = apart / size[:, None]
    return normals


def branch_at(tree: VesselTree, point_mm: Vector) -> int:
    """Place of the branch nearest to a point, such as one that was clicked; LPS mm."""
    points, owner, _ = tree.samples(SAMPLE_MM)
    return int(owner[cKDTree(points).query(np.asarray(point_mm, dtype=np.float64))[1]])
