"""Voxels of the liver by the vessels that serve them, counted once for all cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import OUTSIDE, TUMOUR, Blocks
from surgplan.planning._tree_nodes import TreeNodes

CLASSES = 4
"""0 healthy, 1 without supply, 2 without drainage, 3 without both."""

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]
Pair = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """How many voxels of a block the same portal and hepatic vessels serve.

    Attributes
    ----------
    block, tumour, count
        ``(n,)`` place of the block, 1 for tumour, and how many voxels.
    by
        ``(n,)`` for either system: which node or branch serves them, -1 without that system.
    """

    block: Places
    tumour: npt.NDArray[np.uint8]
    count: Values
    by: Pair

    def classes(self, lost: Sequence[Mask]) -> npt.NDArray[np.uint8]:
        """As `class_of`."""
        return class_of(self.tumour, self.by, lost)


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedVoxels:
    """Voxels of the liver that are alike for every cut that leaves their block whole.

    What a cut takes of a branch is all of it, nothing, or all from some node on. So a branch is
    looked up as a whole, and its nodes only where a cut divides it.

    Attributes
    ----------
    nodes, branches
        The voxels by nodes, and the same by branches.
    first
        ``(n + 1,)`` where the nodes of each row of `branches` begin in `nodes`.
    ends
        For either system ``(branches + 1, 2)`` first and last node of each branch; -1 at last.
    """

    nodes: Served
    branches: Served
    first: Places
    ends: tuple[Places, Places]

    @classmethod
    def of(
        cls, blocks: Blocks, systems: Sequence[tuple[TreeNodes, npt.NDArray[np.int32]] | None]
    ) -> SharedVoxels:
        """Gather the voxels of each block; systems are nodes, and the node that serves each voxel.

        Portal before hepatic, None for one that is not there.
        """
        row, column = np.nonzero((blocks.tissue > 0) & (blocks.tissue < OUTSIDE))
        none = np.full(len(row), -1, dtype=np.int64)
        tumour = (blocks.tissue[row, column] == TUMOUR).astype(np.int64)
        node = [none if s is None else s[1][row, column].astype(np.int64) for s in systems]
        (block, mass, *by), count = _unique((row, tumour, *node))
        branch = [
            own if s is None else s[0].branch[own] for s, own in zip(systems, by, strict=True)
        ]
        order = np.lexsort((*by, mass, *branch, block))
        block, mass, count = block[order], mass[order], count[order]
        by, branch = [n[order] for n in by], [b[order] for b in branch]
        rows = np.stack([block, mass, *branch])
        first = np.flatnonzero((np.diff(rows, prepend=-2) != 0).any(axis=0))
        sums = np.add.reduceat(count, first) if len(first) else count
        one, other = (_ends(None if s is None else s[0]) for s in systems)
        return cls(
            nodes=_served(block, mass, count, by),
            branches=_served(block[first], mass[first], sums, [b[first] for b in branch]),
            first=np.append(first, len(block)),
            ends=(one, other),
        )

    def by_class(self, kept: Mask, lost: Sequence[Mask]) -> Values:
        """Voxels of the blocks that stay whole, by class and by whether they are tumour, ``(8,)``.

        `kept` is ``(blocks,)``; see `class_of` for `lost`.
        """
        low, high = ([of[e[:, side]] for of, e in zip(lost, self.ends, strict=True)]
                     for side in (0, 1))  # fmt: skip
        stays = kept[self.branches.block]
        divided = np.zeros(len(stays), dtype=bool)
        for before, after, by in zip(low, high, self.branches.by, strict=True):
            divided |= (before != after)[by]
        whole = self.branches.count * (stays & ~divided)
        found = np.bincount(self.branches.classes(low), whole, minlength=2 * CLASSES)
        row = np.flatnonzero(stays & divided)
        size = self.first[row + 1] - self.first[row]
        ends = np.cumsum(size)
        node = np.arange(size.sum()) + np.repeat(self.first[row] - ends + size, size)
        by_node = class_of(self.nodes.tumour[node], [by[node] for by in self.nodes.by], lost)
        found += np.bincount(by_node, self.nodes.count[node], minlength=2 * CLASSES)
        return np.asarray(found, dtype=np.float64)


def class_of(
    tumour: npt.NDArray[np.uint8], by: Sequence[npt.NDArray[np.int32]], lost: Sequence[Mask]
) -> npt.NDArray[np.uint8]:
    """1 for tumour, and 2 where the supply is lost and 4 where the drainage is, ``(n,)``.

    `by` says what serves each, -1 for nothing, and `lost` what of that is lost, with a False at the
    end; both for portal and hepatic veins.
    """
    found = tumour
    for own, of, number in zip(by, lost, (2, 4), strict=True):
        found = found + (of * np.uint8(number))[own]
    return found


def _unique(parts: Sequence[Places]) -> tuple[list[Places], Places]:
    """Different rows of columns ``(n,)`` of numbers from -1 on, and how many of each."""
    sizes = [int(p.max(initial=0)) + 2 for p in parts]
    key = np.ravel_multi_index([p + 1 for p in parts], sizes)
    unique, count = np.unique(key, return_counts=True)
    return [p - 1 for p in np.unravel_index(unique, sizes)], count


def _served(block: Places, tumour: Places, count: Places, by: Sequence[Places]) -> Served:
    portal, hepatic = by
    return Served(
        block=block,
        tumour=tumour.astype(np.uint8),
        count=count.astype(np.float64),
        by=(portal.astype(np.int32), hepatic.astype(np.int32)),
    )


def _ends(nodes: TreeNodes | None) -> Places:
    """First and last node of each branch, and a row of -1."""
    if nodes is None:
        return np.full((1, 2), -1)
    ends = np.full((int(nodes.branch.max()) + 2, 2), -1)
    place = np.arange(len(nodes.branch))
    ends[nodes.branch[::-1], 0] = place[::-1]
    ends[nodes.branch, 1] = place
    return ends
