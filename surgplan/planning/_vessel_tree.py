"""The vessel tree: centreline branches with radius, parent, order and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.planning._records import from_json, to_json

VesselSystem = Literal["portal", "hepatic"]

TREE_SCHEMA: Literal[1] = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class VesselBranch:
    """A piece of vessel between two bifurcations.

    Attributes
    ----------
    label
        What surgeons call it, for example ``'right portal vein'`` or ``'P8'``; empty if unnamed.
    confidence
        How well the name fits, 0 to 1; 0 for a branch without a name.
    order
        1 at the root; a child that carries its parent on keeps the order, others add 1.
    parent
        Place of the parent in `VesselTree.branches`, None for a root.
    points_mm
        Centreline ``(k, 3)`` LPS from the root's side outwards, k >= 2; read-only.
    radius_mm
        ``(k,)``, at each point; read-only.
    """

    label: str = ""
    confidence: float = 0.0
    order: int = 1
    parent: int | None = None
    points_mm: npt.NDArray[np.float64]
    radius_mm: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, dtype=np.float64)
        radius = np.array(self.radius_mm, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2:
            msg = f"`points_mm` must be (k, 3) with k >= 2, got {points.shape}"
            raise UsageError(msg)
        if radius.shape != (len(points),) or not (radius > 0).all():
            msg = f"`radius_mm` must be {len(points)} positive numbers, got shape {radius.shape}"
            raise UsageError(msg)
        if not np.isfinite(points).all() or not np.isfinite(radius).all():
            msg = "`points_mm` and `radius_mm` must be finite; drop the points that are not"
            raise UsageError(msg)
        if not 0 <= self.confidence <= 1:
            msg = f"`confidence` must lie in 0..1, got {self.confidence}"
            raise UsageError(msg)
        points.flags.writeable = radius.flags.writeable = False
        object.__setattr__(self, "points_mm", points)
        object.__setattr__(self, "radius_mm", radius)

    @property
    def length_mm(self) -> float:
        """Length of the centreline."""
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())

    @property
    def median_radius_mm(self) -> float:
        """The radius that stands for the whole branch."""
        return float(np.median(self.radius_mm))


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A piece of vessel that could not be joined to the tree: where, and how much."""

    centre_mm: tuple[float, float, float]
    volume_ml: float
    length_mm: float


@dataclass(frozen=True, kw_only=True)
class Repairs:
    """What had to be mended on the way from a mask to a tree.

    Attributes
    ----------
    gaps_bridged
        Fragments joined across a gap.
    loops_cut
        Loops opened where they are thinnest.
    spurs_pruned
        Twigs that do not leave the wall of their parent.
    fragments
        Pieces that stay out of the tree, largest first.
    """

    gaps_bridged: int = 0
    loops_cut: int = 0
    spurs_pruned: int = 0
    fragments: tuple[Fragment, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class VesselTree:
    """The branches of one vessel system of the liver, parents before children.

    Attributes
    ----------
    system
        ``'portal'`` (one root, at the confluence or where the mask begins) or ``'hepatic'`` (a
        root for each vein at the vena cava).
    branches
        From the roots outwards; a child begins at the point where its parent ends, or at a gap.
    repairs
        What was mended in the mask.

    Raises
    ------
    UsageError
        If a parent does not stand before its child, or an order falls from parent to child.
    """

    system: VesselSystem
    branches: tuple[VesselBranch, ...]
    repairs: Repairs = Repairs()

    def __post_init__(self) -> None:
        if not self.branches:
            msg = "`branches` must not be empty; a tree has a root"
            raise UsageError(msg)
        if self.system not in ("portal", "hepatic"):
            msg = f"`system` must be 'portal' or 'hepatic', got {self.system!r}"
            raise UsageError(msg)
        for place, branch in enumerate(self.branches):
            above = branch.parent
            if above is not None and not 0 <= above < place:
                msg = f"a parent must stand before its child, got {above} for branch {place}"
                raise UsageError(msg)
            least = 1 if above is None else self.branches[above].order
            if branch.order < least:
                msg = f"`order` of branch {place} must be at least {least}, got {branch.order}"
                raise UsageError(msg)

    @property
    def roots(self) -> tuple[int, ...]:
        """Places of the branches without parent."""
        return tuple(i for i, b in enumerate(self.branches) if b.parent is None)

    def children(self, branch: int) -> tuple[int, ...]:
        """Places of the branches that leave a branch."""
        return tuple(i for i, b in enumerate(self.branches) if b.parent == branch)

    def subtree(self, branch: int) -> tuple[int, ...]:
        """A branch and all behind it, rising."""
        inside = {branch}
        for i, b in enumerate(self.branches):
            if b.parent in inside:
                inside.add(i)
        return tuple(sorted(inside))

    def labelled(self, label: str) -> tuple[int, ...]:
        """Places of the branches with this name."""
        return tuple(i for i, b in enumerate(self.branches) if b.label == label)

    def downstream(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums over each branch and all behind it, of values ``(branches, ...)``."""
        total = np.array(values, dtype=np.float64)
        for i in range(len(self.branches) - 1, -1, -1):
            above = self.branches[i].parent
            if above is not None:
                total[above] += total[i]
        return total

    def samples(
        self, step_mm: float = 0.5
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Points ``(n, 3)`` LPS at most ``step_mm`` apart, their branch ``(n,)``, radius ``(n,)``.

        The first point of a child belongs to its parent too, and is counted there.
        """
        points, owner, radius = [], [], []
        for i, branch in enumerate(self.branches):
            along = np.linalg.norm(np.diff(branch.points_mm, axis=0), axis=1)
            at = np.concatenate([[0.0], np.cumsum(along)])
            stops = np.linspace(0, at[-1], max(2, int(np.ceil(at[-1] / step_mm)) + 1))
            stops = stops if branch.parent is None else stops[1:]
            points.append(
                np.stack([np.interp(stops, at, branch.points_mm[:, a]) for a in range(3)], axis=1)
            )
            radius.append(np.interp(stops, at, branch.radius_mm))
            owner.append(np.full(len(stops), i))
        return np.concatenate(points), np.concatenate(owner), np.concatenate(radius)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; lengths in LPS mm."""
        record = _TreeRecord(
            schema=TREE_SCHEMA,
            frame="LPS mm",
            system=self.system,
            branches=tuple(_record_of(b) for b in self.branches),
            repairs=self.repairs,
        )
        content: dict[str, Any] = to_json(record)
        return content

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VesselTree:
        """The tree of `to_dict`.

        Raises
        ------
        CorruptFileError
            If a field is missing, unknown or of another type; names it.
        UsageError
            If the branches make no tree.
        """
        record = from_json(_TreeRecord, dict(data))
        branches = tuple(
            VesselBranch(
                label=b.label,
                confidence=b.confidence,
                order=b.order,
                parent=b.parent,
                points_mm=np.array(b.points_mm, dtype=np.float64).reshape(-1, 3),
                radius_mm=np.array(b.radius_mm, dtype=np.float64),
            )
            for b in record.branches
        )
        return cls(system=record.system, branches=branches, repairs=record.repairs)


@dataclass(frozen=True, kw_only=True)
class _BranchRecord:
    label: str
    confidence: float
    order: int
    parent: int | None
    points_mm: tuple[tuple[float, float, float], ...]
    radius_mm: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _TreeRecord:
    schema: Literal[1]
    frame: Literal["LPS mm"]
    system: VesselSystem
    branches: tuple[_BranchRecord, ...]
    repairs: Repairs


def _record_of(branch: VesselBranch) -> _BranchRecord:
    return _BranchRecord(
        label=branch.label,
        confidence=branch.confidence,
        order=branch.order,
        parent=branch.parent,
        points_mm=tuple((float(x), float(y), float(z)) for x, y, z in branch.points_mm),
        radius_mm=tuple(float(r) for r in branch.radius_mm),
    )
