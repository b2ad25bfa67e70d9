"""Vessel trees: branches with centreline, radius, order and parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.phantom._shapes import Array, Tubes, tubes

System = Literal["portal", "hepatic", "arterial"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Branch:
    """A piece of vessel between two bifurcations.

    Attributes
    ----------
    label
        What surgeons call it, for example ``'right portal vein'`` or ``'P8.1'``.
    order
        1 for a root; a branch that carries on its parent's label keeps the order, others add 1.
    parent
        Place of the parent in `VesselTree.branches`, None for a root.
    points_mm
        Centreline ``(k, 3)`` LPS from the root's side outwards, k >= 2; read-only.
    radius_mm
        The same along the whole branch.
    terminals
        Ends of the tree that it serves.
    """

    label: str
    order: int
    parent: int | None
    points_mm: npt.NDArray[np.float64]
    radius_mm: float
    terminals: int = 1

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < 2:
            msg = f"`points_mm` must be (k, 3) with k >= 2, got {points.shape}"
            raise UsageError(msg)
        if not self.radius_mm > 0:
            msg = f"`radius_mm` must be positive, got {self.radius_mm}"
            raise UsageError(msg)
        points.flags.writeable = False
        object.__setattr__(self, "points_mm", points)

    @property
    def length_mm(self) -> float:
        """Length of the centreline."""
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())

    def samples_mm(self, step_mm: float = 0.5) -> npt.NDArray[np.float64]:
        """Points on the centreline at most ``step_mm`` apart, ``(n, 3)``."""
        pieces = []
        for a, b in zip(self.points_mm[:-1], self.points_mm[1:], strict=True):
            count = int(np.ceil(np.linalg.norm(b - a) / step_mm)) + 1
            pieces.append(a + np.linspace(0, 1, count)[:, None] * (b - a))
        return np.vstack(pieces)


@dataclass(frozen=True, kw_only=True, eq=False)
class VesselTree:
    """The branches of one vessel system in the liver, parents before children.

    Attributes
    ----------
    system
        ``'portal'``, ``'hepatic'`` (roots at the vena cava) or ``'arterial'``.
    branches
        From the roots outwards.
    feeders
        Vessels outside the liver that meet the root: splenic and mesenteric vein; the aorta and
        its branches.
    """

    system: System
    branches: tuple[Branch, ...]
    feeders: tuple[Branch, ...] = ()

    def children(self, index: int) -> tuple[int, ...]:
        """Places of the branches that leave a branch's end."""
        return tuple(i for i, b in enumerate(self.branches) if b.parent == index)

    def tubes(self) -> Tubes:
        """The tree with its feeders as an implicit shape."""
        everything = (*self.branches, *self.feeders)
        return tubes(*[(b.points_mm, b.radius_mm) for b in everything])

    def distance_mm(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Distance from LPS points ``(n, 3)`` to the vessel walls, negative inside; exact."""
        points = np.asarray(points_mm, dtype=np.float64).reshape(-1, 3)
        return self.tubes().distance(np.ascontiguousarray(points.T))


@dataclass(kw_only=True, eq=False)
class Sprout:
    """A branch while its tree is growing: no radius yet, and it may be dropped."""

    label: str
    parent: int | None
    points: Array


def finish(
    system: System, sprouts: list[Sprout], unit_mm: float, feeders: tuple[Branch, ...]
) -> VesselTree:
    """A tree of sprouts: chains joined, radii by Murray's law from the number of terminals.

    With equal flow to all n terminals behind a branch, r0^3 = r1^3 + r2^3 at each bifurcation
    means r = ``unit_mm`` * n^(1/3) (Murray 1926, doi:10.1073/pnas.12.3.207).
    """
    joined = _join_chains(sprouts)
    terminals = [0] * len(joined)
    parents = {s.parent for s in joined}
    for i in reversed(range(len(joined))):
        terminals[i] += i not in parents
        parent = joined[i].parent
        if parent is not None:
            terminals[parent] += terminals[i]
    branches: list[Branch] = []
    for sprout, count in zip(joined, terminals, strict=True):
        above = None if sprout.parent is None else branches[sprout.parent]
        order = 1 if above is None else above.order + (above.label != sprout.label)
        branches.append(
            Branch(
                label=sprout.label,
                order=order,
                parent=sprout.parent,
                points_mm=sprout.points,
                radius_mm=unit_mm * count ** (1 / 3),
                terminals=count,
            )
        )
    return VesselTree(system=system, branches=tuple(branches), feeders=feeders)


def _join_chains(sprouts: list[Sprout]) -> list[Sprout]:
    """Sprouts in which no one has an only child."""
    children: list[list[int]] = [[] for _ in sprouts]
    for i, sprout in enumerate(sprouts):
        if sprout.parent is not None:
            children[sprout.parent].append(i)
    joined: list[Sprout] = []
    stack: list[tuple[int, int | None]] = [
        (i, None) for i in reversed(range(len(sprouts))) if sprouts[i].parent is None
    ]
    while stack:
        i, parent = stack.pop()
        label, points = sprouts[i].label, [sprouts[i].points]
        while len(children[i]) == 1:
            i = children[i][0]
            points.append(sprouts[i].points[1:])
        joined.append(Sprout(label=label, parent=parent, points=np.vstack(points)))
        stack += [(child, len(joined) - 1) for child in reversed(children[i])]
    return joined
