"""Anatomical cuts: the territories of the portal branches that serve the tumours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from surgplan.planning._boundary import Points
from surgplan.planning._perfusion import Perfusion
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._vessel_tree import VesselTree

Places = npt.NDArray[np.integer]


def territories_with(perfusion: Perfusion, nodes: Places) -> Iterator[TerritoryResection]:
    """Territories that hold all that some nodes ``(n,)`` serve, from the largest to the smallest.

    Level by level from the root: first those of the branches right behind the trunk, then of
    theirs, down to the branches of the nodes. Never the whole tree.
    """
    serving = np.unique(perfusion.nodes.branch[nodes])
    lines = [_line(perfusion.tree, int(branch)) for branch in serving]
    seen: set[frozenset[int]] = set()
    for level in range(1, max(len(line) for line in lines)):
        branches = outermost(perfusion.tree, [line[min(level, len(line) - 1)] for line in lines])
        taken = {n for branch in branches for n in perfusion.tree.subtree(branch)}
        if branches not in seen and len(taken) < len(perfusion.tree.branches):
            seen.add(branches)
            yield TerritoryResection(tree=perfusion.tree, branches=tuple(sorted(branches)))


def serving(prepared: PreparedLiver, perfusion: Perfusion, points_mm: Points) -> Places:
    """The nodes that serve the voxels of the liver whose centres are ``(n, 3)`` LPS points."""
    blocks = prepared.blocks
    index = np.round(blocks.geometry.to_index(points_mm)).astype(np.int64)
    nodes: Places = perfusion.node_of.ravel()[blocks.places(index)]
    return nodes


def _line(tree: VesselTree, branch: int) -> list[int]:
    """A branch and those before it, from the root on."""
    line = [branch]
    while (above := tree.branches[line[-1]].parent) is not None:
        line.append(above)
    return line[::-1]


def outermost(tree: VesselTree, branches: Iterable[int]) -> frozenset[int]:
    """Branches without those that hang on another of them."""
    every = set(branches)
    behind = {n for b in every for n in tree.subtree(b) if n != b}
    return frozenset(every - behind)
