"""Corrections by hand: each returns a new tree, the old one stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgplan.errors import UsageError
from surgplan.planning._vessel_tree import VesselBranch, VesselTree


def cut_branch(tree: VesselTree, branch: int) -> tuple[VesselTree | None, VesselTree]:
    """Take a branch and all behind it off a tree.

    Parameters
    ----------
    tree
        The tree.
    branch
        Place of the branch.

    Returns
    -------
    tuple
        What stays (None where nothing does), and what was taken off as a tree of its own, with
        orders from 1. Both keep their names and the repairs of the tree.

    Raises
    ------
    UsageError
        If there is no such branch.
    """
    off = _checked(tree, branch)
    gone = tree.subtree(off)
    rest = tuple(i for i in range(len(tree.branches)) if i not in set(gone))
    taken = _picked(tree, gone)
    drop = taken[0].order - 1
    taken = tuple(replace(b, order=b.order - drop) for b in taken)
    return (
        replace(tree, branches=_picked(tree, rest)) if rest else None,
        replace(tree, branches=taken),
    )


def join_trees(tree: VesselTree, other: VesselTree, *, parent: int | None) -> VesselTree:
    """Hang another tree's roots on a branch, across whatever gap there is.

    Parameters
    ----------
    tree
        The tree to join to.
    other
        Of either system; it becomes part of the system of `tree`. Its names stay.
    parent
        Place of the branch in `tree` at whose end the roots start, None to keep them as roots.

    Raises
    ------
    UsageError
        If there is no such branch.
    """
    shift = len(tree.branches)
    deeper = 0 if parent is None else tree.branches[_checked(tree, parent)].order
    added = []
    for branch in other.branches:
        if branch.parent is not None:
            added.append(replace(branch, parent=branch.parent + shift, order=branch.order + deeper))
            continue
        hung = branch if parent is None else _bridged(tree.branches[parent], branch)
        added.append(replace(hung, parent=parent, order=branch.order + deeper))
    return replace(tree, branches=(*tree.branches, *added))


def relabel(tree: VesselTree, branch: int, label: str, *, whole_subtree: bool = True) -> VesselTree:
    """Name a branch, and by default all behind it; a name given by hand is sure.

    Raises
    ------
    UsageError
        If there is no such branch.
    """
    place = _checked(tree, branch)
    named = set(tree.subtree(place)) if whole_subtree else {place}
    confidence = 1.0 if label else 0.0
    branches = tuple(
        replace(b, label=label, confidence=confidence) if i in named else b
        for i, b in enumerate(tree.branches)
    )
    return replace(tree, branches=branches)


def _checked(tree: VesselTree, branch: int) -> int:
    if not 0 <= branch < len(tree.branches):
        msg = f"`branch` must lie in 0..{len(tree.branches) - 1}, got {branch}"
        raise UsageError(msg)
    return branch


def _picked(tree: VesselTree, places: tuple[int, ...]) -> tuple[VesselBranch, ...]:
    """Some branches with their parents renumbered; without parent where that is not among them."""
    number = {old: new for new, old in enumerate(places)}
    return tuple(
        replace(
            tree.branches[i],
            parent=None if (p := tree.branches[i].parent) is None else number.get(p),
        )
        for i in places
    )


def _bridged(parent: VesselBranch, child: VesselBranch) -> VesselBranch:
    """The child from the parent's end on."""
    end = parent.points_mm[-1]
    if np.allclose(end, child.points_mm[0], atol=1e-6):
        return child
    return replace(
        child,
        points_mm=np.concatenate([end[None], child.points_mm]),
        radius_mm=np.concatenate([child.radius_mm[:1], child.radius_mm]),
    )
