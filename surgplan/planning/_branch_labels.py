"""Names for the branches of a tree, from where their territories lie. Each has a confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._hepatic_labels import name_hepatic
from surgplan.planning._portal_labels import name_portal
from surgplan.planning._vessel_tree import VesselTree


@dataclass(frozen=True, kw_only=True, eq=False)
class Realm:
    """What lies behind each branch of a tree.

    Attributes
    ----------
    tree
        The tree.
    share
        ``(branches,)`` part of the liver nearest to a branch or to one behind it.
    centre_mm
        ``(branches, 3)`` LPS centre of gravity of that part; of the branch where it has none.
    """

    tree: VesselTree
    share: npt.NDArray[np.float64]
    centre_mm: Points

    @classmethod
    def of(cls, tree: VesselTree, liver_mm: Points) -> Realm:
        """The realms in a liver given by points ``(n, 3)`` spread evenly in it."""
        points, owner, _ = tree.samples(1.0)
        count = len(tree.branches)
        nearest = owner[cKDTree(points).query(liver_mm)[1]]
        sums: npt.NDArray[np.float64] = np.stack(
            [np.bincount(nearest, liver_mm[:, a], minlength=count) for a in range(3)], axis=1
        ).astype(np.float64)
        hits = np.bincount(nearest, minlength=count).astype(np.float64)
        behind, weights = tree.downstream(sums), tree.downstream(hits)
        own = np.array([b.points_mm.mean(axis=0) for b in tree.branches])
        centre = np.where(weights[:, None] > 0, behind / np.maximum(weights, 1)[:, None], own)
        return cls(tree=tree, share=weights / max(1, len(liver_mm)), centre_mm=centre)


@dataclass(kw_only=True, eq=False)
class Names:
    """Names under construction, ``''`` and 0 where there is none yet."""

    label: list[str]
    confidence: list[float]

    def give(self, branches: tuple[int, ...], label: str, confidence: float) -> None:
        """Name some branches."""
        for i in branches:
            self.label[i] = label
            self.confidence[i] = float(np.clip(confidence, 0.0, 1.0))


def labelled(tree: VesselTree, liver_mm: Points) -> VesselTree:
    """The same tree with names.

    Portal: main, left, right, right anterior and right posterior portal vein, umbilical portion,
    and P1..P8 for all that goes to a segment of Couinaud. Hepatic: right, middle and left hepatic
    vein with all their tributaries, their common trunk, accessory veins.

    Parameters
    ----------
    tree
        The tree.
    liver_mm
        Points ``(n, 3)`` spread evenly in the liver, LPS mm.
    """
    realm = Realm.of(tree, liver_mm)
    count = len(tree.branches)
    names = Names(label=[""] * count, confidence=[0.0] * count)
    name = name_portal if tree.system == "portal" else name_hepatic
    name(realm, names)
    branches = tuple(
        replace(b, label=label, confidence=confidence)
        for b, label, confidence in zip(tree.branches, names.label, names.confidence, strict=True)
    )
    return replace(tree, branches=branches)
