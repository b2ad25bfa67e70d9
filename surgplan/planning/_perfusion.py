"""Which piece of which vessel serves each voxel of the liver, and what a cut takes from it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.errors import NothingToDoError
from surgplan.planning._blocks import OUTSIDE, Blocks
from surgplan.planning._boundary import Points
from surgplan.planning._clusters import sides
from surgplan.planning._corridor import in_liver
from surgplan.planning._extract import Site, TreeSettings, tree_at
from surgplan.planning._nearest import nearest_nodes
from surgplan.planning._resection import Resection
from surgplan.planning._shared_voxels import SharedVoxels
from surgplan.planning._tree_nodes import Mask, TreeNodes
from surgplan.planning._vessel_tree import VesselSystem, VesselTree
from surgplan.volume import HEPATIC_VEINS, PORTAL_VEIN, Segment

if TYPE_CHECKING:
    from surgplan.planning._prepare import PreparedLiver

_SEGMENTS: dict[VesselSystem, Segment] = {"portal": PORTAL_VEIN, "hepatic": HEPATIC_VEINS}

LEAST_REACH_PERCENT = 90.0
"""Where a vessel system reaches less of the liver, what it serves is not known.

Branches of 12 phantoms were taken away, and functional remnants of 17 cuts each compared with those
by whole trees: by trees that still reach this much they are off by 1 to 2 % of the liver, and by
more than 10 % in 0 to 4 of 100 cuts; by others by 4 to 6 %, and in 11 to 20 of 100.
"""

_REACH = 1 / 3
"""A vessel reaches so many widths of the liver, which are the cube root of its volume."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Perfusion:
    """One vessel system as it serves the liver: supply by portal veins, drainage by hepatic ones.

    A voxel is served by the nearest point of a centreline, and through it by all on the way to
    the root; so also `Territories` of the metric ``'euclidean'``.

    Attributes
    ----------
    tree
        The vessels.
    nodes
        The same as points half a millimetre apart.
    inside
        ``(nodes,)`` whether a node lies in the liver.
    node_of
        ``(blocks, voxels per block)`` int32, the node that serves each voxel of the liver, -1
        elsewhere; in the order of `Blocks`.
    downstream_ml
        ``(nodes,)`` what is served by each node and all that hangs on it.
    reach_percent
        Of the liver: what lies nearer to a node in the liver than a third of its width.
    """

    tree: VesselTree
    nodes: TreeNodes
    inside: Mask
    node_of: npt.NDArray[np.int32]
    downstream_ml: npt.NDArray[np.float64]
    reach_percent: float

    @classmethod
    def of(cls, tree: VesselTree, prepared: PreparedLiver) -> Perfusion:
        """Lay a tree out in a liver."""
        nodes, nearest = nearest_nodes(tree, prepared.blocks)
        tissue = prepared.blocks.tissue
        node_of = np.where((tissue > 0) & (tissue < OUTSIDE), nearest, np.int32(-1))
        count = np.bincount(node_of[node_of >= 0], minlength=len(nodes.end))
        own_ml = count * prepared.blocks.geometry.voxel_volume_mm3 / 1000
        inside = in_liver(prepared, nodes.points_mm)
        return cls(
            tree=tree,
            nodes=nodes,
            inside=inside,
            node_of=node_of,
            downstream_ml=nodes.sums_behind(own_ml),
            reach_percent=_reach_percent(nodes.points_mm[inside], prepared.blocks),
        )

    @property
    def reach(self) -> str:
        """How far the vessels are known, in words; whole per cent, rounded down."""
        name = _SEGMENTS[self.tree.system].name
        return f"{name} found in only {math.floor(self.reach_percent)} % of the liver"

    @property
    def is_known(self) -> bool:
        """Whether the tree reaches enough of the liver to say what each part of it serves."""
        return self.reach_percent >= LEAST_REACH_PERCENT

    def nearest(self, points_mm: Points) -> npt.NDArray[np.int64]:
        """The node that serves each of ``(n, 3)`` LPS points, ``(n,)``."""
        found: npt.NDArray[np.int64] = cKDTree(self.nodes.points_mm).query(points_mm)[1]
        return found

    def lost(self, resection: Resection) -> Mask:
        """``(nodes,)`` whether a node, or one on its way to the root, is resected.

        Resected is what lies in the liver and on the resected side; vessels outside the liver
        stay.
        """
        return self.lost_from(sides(self.nodes.clusters, resection))

    def lost_from(self, resected: Mask) -> Mask:
        """As `lost`, from which nodes are on the resected side."""
        return self.nodes.behind(np.flatnonzero(self.inside & resected))


@dataclass(frozen=True, kw_only=True, eq=False)
class Perfusions:
    """Both vessel systems of a liver; `missing` says in words why one cannot be judged.

    One that reaches too little of the liver is there, since its vessels can be cut, but what it
    serves is not `known`. `shared` counts the voxels of each block that the same pieces of vessels
    serve, of known systems.
    """

    portal: Perfusion | None
    hepatic: Perfusion | None
    missing: tuple[str, ...]
    shared: SharedVoxels

    def each(self) -> tuple[Perfusion, ...]:
        """Those that are there, portal before hepatic."""
        return tuple(p for p in (self.portal, self.hepatic) if p is not None)

    def known(self) -> tuple[Perfusion, ...]:
        """Those of which is known what they serve, portal before hepatic."""
        return tuple(p for p in self.each() if p.is_known)


def perfusions_of(prepared: PreparedLiver) -> Perfusions:
    """Lay out the trees of a prepared liver, those given by hand or those of its labels."""
    trees = _trees(prepared) if prepared.trees is None else prepared.trees
    found = {tree.system: Perfusion.of(tree, prepared) for tree in trees}
    portal, hepatic = found.get("portal"), found.get("hepatic")
    known = {system: p for system, p in found.items() if p.is_known}
    return Perfusions(
        portal=portal,
        hepatic=hepatic,
        shared=SharedVoxels.of(
            prepared.blocks,
            [(p.nodes, p.node_of) if p is not None else None for p in map(known.get, _SEGMENTS)],
        ),
        missing=tuple(
            f"not assessed: {_why_missing(prepared, system, found.get(system))}"
            for system in _SEGMENTS
            if system not in known
        ),
    )


def _trees(prepared: PreparedLiver) -> Iterator[VesselTree]:
    """The trees of the labels; without those that are too small to be one.

    Branches that together are shorter than the liver is wide (the cube root of its volume) do not
    serve it all: they are fragments, and what they seem to serve would mean nothing.
    """
    liver_mm3 = float(prepared.liver.sum()) * prepared.label_map.geometry.voxel_volume_mm3
    label_map, site = prepared.label_map, None
    for system, segment in _SEGMENTS.items():
        if label_map.mask(segment).any():
            with suppress(NothingToDoError):
                site = site or Site.of(label_map)
                tree = tree_at(site, system, TreeSettings())
                if sum(b.length_mm for b in tree.branches) >= liver_mm3 ** (1 / 3):
                    yield tree


def _reach_percent(vessels_mm: Points, blocks: Blocks) -> float:
    """How much of a liver lies near vessels in it, ``(n, 3)`` LPS; blocks count as a whole."""
    voxels = blocks.counts[:, :OUTSIDE].sum(axis=1)
    far_mm = _REACH * (voxels.sum() * blocks.geometry.voxel_volume_mm3) ** (1 / 3)
    if not len(vessels_mm):
        return 0.0
    near = cKDTree(vessels_mm).query(blocks.centre_mm)[0] <= far_mm
    return 100 * float(voxels[near].sum() / voxels.sum())


def _why_missing(prepared: PreparedLiver, system: VesselSystem, found: Perfusion | None) -> str:
    segment = _SEGMENTS[system]
    if found is not None:
        return found.reach
    if prepared.trees is not None:
        return f"no {segment.name} among the trees"
    there = prepared.label_map.mask(segment).any()
    return f"only fragments of the {segment.name}" if there else f"no {segment.name} in the labels"
