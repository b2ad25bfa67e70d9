"""Vessel trees of which branches are taken away, and flat cuts through the liver they serve."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from surgplan.planning import PlaneResection, VesselTree
from surgplan.volume import LabelMap

THINNEST_MM = (1.3, 1.6, 1.9, 2.6, 3.5)
SHARES = (0.02, 0.05, 0.1, 0.2)


def without(tree: VesselTree, gone: Collection[int]) -> VesselTree:
    """A tree without some branches and all behind them."""
    places: dict[int, int] = {}
    kept = []
    for place, branch in enumerate(tree.branches):
        parent = branch.parent
        if place in gone or (parent is not None and parent not in places):
            continue
        places[place] = len(kept)
        kept.append(replace(branch, parent=None if parent is None else places[parent]))
    return VesselTree(system=tree.system, branches=tuple(kept))


def thinned(tree: VesselTree, least_mm: float) -> VesselTree:
    """A tree without its branches that are thinner than so much, as of a scan that is coarse."""
    thin = {
        n
        for n, branch in enumerate(tree.branches)
        if branch.parent is not None and branch.median_radius_mm < least_mm
    }
    return without(tree, thin)


def lacking(tree: VesselTree, seed: int) -> Iterator[VesselTree]:
    """A tree without what is thin, without branches by chance, without a whole hepatic vein."""
    rng = np.random.default_rng(seed)
    yield from (thinned(tree, least_mm) for least_mm in THINNEST_MM)
    for share in SHARES:
        gone = np.flatnonzero(rng.random(len(tree.branches)) < share)
        yield without(tree, set(gone.tolist()) - set(tree.roots))
    if tree.system == "hepatic":
        yield from (without(tree, {root}) for root in tree.roots)


def cut_through(label_map: LabelMap, count: int, seed: int) -> Iterator[PlaneResection]:
    """Flat cuts that take 10 to 60 % of the liver, in any direction."""
    rng = np.random.default_rng(seed)
    liver = label_map.geometry.to_lps(np.argwhere(label_map.whole_liver()))[::20]
    for normal in Rotation.random(count, rng=rng).as_matrix()[:, 0]:
        offset = np.quantile(liver @ normal, 1 - rng.uniform(0.1, 0.6))
        yield PlaneResection(point_mm=tuple(offset * normal), normal=tuple(normal))
