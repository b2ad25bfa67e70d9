"""Vessel trees from a label map."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csgraph

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._branch_labels import labelled
from surgplan.planning._calibre import calibres, shortened, smooth_line, wall_points
from surgplan.planning._cava import split_cava
from surgplan.planning._rooted import (
    LEAST_INSIDE,
    Rooted,
    chains_of,
    pruned,
    within,
)
from surgplan.planning._roots import hepatic_forest, portal_root
from surgplan.planning._skeleton import skeleton_of
from surgplan.planning._tube_fit import Wall
from surgplan.planning._vessel_tree import (
    Fragment,
    Repairs,
    VesselBranch,
    VesselSystem,
    VesselTree,
)
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    box_of,
    crop,
)

AROUND_MM = 50.0
"""So far around the liver vessels are followed."""

_CARRIES_ON = 0.8
"""A child of at least this part of its parent's radius, with slight siblings, carries it on."""

_SLIGHT = 0.65
_CAP = 0.5
"""Lines end so many radii before the wall: between where a round end and a flat one have theirs."""

_COARSE_MM = 3.0

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TreeSettings:
    """How a mask becomes a tree.

    Attributes
    ----------
    gap_mm
        Widest gap between walls across which fragments are joined, 0 to 20.
    salt_mm
        Fragments whose centreline is shorter are noise, and not reported.
    """

    gap_mm: float = 5.0
    salt_mm: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.gap_mm <= 20:
            msg = f"`gap_mm` must lie in 0..20, got {self.gap_mm}"
            raise UsageError(msg)
        if not self.salt_mm >= 0:
            msg = f"`salt_mm` must be 0 or more, got {self.salt_mm}"
            raise UsageError(msg)


def vessel_trees(
    label_map: LabelMap, settings: TreeSettings | None = None
) -> tuple[VesselTree, ...]:
    """The trees that a label map holds, portal before hepatic; none where there are no vessels.

    Raises
    ------
    NothingToDoError
        If there is no liver.
    UsageError
        If the grid is sheared.
    """
    site = Site.of(label_map)
    settings = settings or TreeSettings()
    pairs: tuple[tuple[VesselSystem, Mask], ...] = (
        ("portal", site.label_map.mask(PORTAL_VEIN)),
        ("hepatic", site.label_map.mask(HEPATIC_VEINS)),
    )
    return tuple(tree_at(site, system, settings) for system, mask in pairs if mask.any())


def vessel_tree(
    label_map: LabelMap, system: VesselSystem, settings: TreeSettings | None = None
) -> VesselTree:
    """The portal or the hepatic tree: centrelines, radii, order, root and names.

    Portal: the root is the confluence, or the end of the trunk where the mask begins; splenic and
    mesenteric vein are left out. Hepatic: a root for each vein that opens into the vena cava; if
    the vena cava is not labelled, what is as thick as one is split off the hepatic veins.

    Parameters
    ----------
    label_map
        With liver and vessels, on a grid with perpendicular axes.
    system
        ``'portal'`` or ``'hepatic'``.
    settings
        None for the defaults.

    Raises
    ------
    NothingToDoError
        If there is no liver, or none of these vessels.
    UsageError
        If the grid is sheared.
    """
    return tree_at(Site.of(label_map), system, settings or TreeSettings())


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """The liver and its surroundings, and the same with fewer voxels, with the whole `liver`."""

    label_map: LabelMap
    coarse: LabelMap
    liver: Mask

    @classmethod
    def of(cls, label_map: LabelMap) -> Site:
        if not label_map.geometry.is_orthogonal:
            msg = "vessel trees need a grid with perpendicular axes; resample the label map first"
            raise UsageError(msg)
        tissue = label_map.mask(LIVER, LIVER_TUMOUR, LIVER_CYST)
        if not tissue.any():
            msg = "vessel trees need a liver, and the label map has none; segment it first"
            raise NothingToDoError(msg)
        near = crop(label_map, box_of(tissue, label_map.geometry, margin_mm=AROUND_MM))
        coarse = _every_few(near)
        return cls(label_map=near, coarse=coarse, liver=coarse.whole_liver())

    @property
    def liver_mm(self) -> Points:
        """Voxel centres of the whole liver, about every 3 mm, ``(n, 3)`` LPS mm."""
        return self.coarse.geometry.to_lps(np.argwhere(self.liver))

    def in_liver(self, points_mm: Points) -> npt.NDArray[np.bool_]:
        """Whether points ``(n, 3)`` lie in the whole liver."""
        index = np.rint(self.coarse.geometry.to_index(points_mm)).astype(int)
        inside: npt.NDArray[np.bool_] = self.liver[
            tuple(np.clip(index, 0, np.array(self.liver.shape) - 1).T)
        ]
        return inside


def _every_few(label_map: LabelMap) -> LabelMap:
    """Every so many voxels of a label map, about 3 mm apart: enough to say where the liver is."""
    every = [max(1, round(_COARSE_MM / s)) for s in label_map.geometry.spacing_mm]
    array = label_map.array[:: every[0], :: every[1], :: every[2]]
    affine = label_map.geometry.affine.copy()
    affine[:3, :3] *= every
    return replace(label_map, array=array, geometry=Geometry(shape=array.shape, affine=affine))


def tree_at(site: Site, system: VesselSystem, settings: TreeSettings) -> VesselTree:
    """As `vessel_tree`, where the liver is known already."""
    geometry = site.label_map.geometry
    mask, cava = _veins_and_cava(site, system)
    if not mask.any():
        msg = f"the label map has no {system} vein near the liver; segment the vessels first"
        raise NothingToDoError(msg)
    skeleton = skeleton_of(mask, geometry, gap_mm=settings.gap_mm)
    inside = site.in_liver(skeleton.points_mm)
    if system == "portal":
        rooted = portal_root(skeleton, inside)
    else:
        cava_mm = wall_points(cava, geometry) if cava.any() else np.empty((0, 3))
        rooted = within(hepatic_forest(skeleton, cava_mm), inside)
    rooted, spurs = pruned(rooted)
    repairs = Repairs(
        gaps_bridged=skeleton.gaps_bridged,
        loops_cut=skeleton.loops_cut,
        spurs_pruned=spurs,
        fragments=_fragments(rooted, inside, settings.salt_mm),
    )
    walls = wall_points(mask, geometry, cava), Wall.of(mask, geometry, cava)
    branches = _branches(rooted, *walls, opens=system == "hepatic")
    if not branches:
        msg = f"the {system} vein is a speck without a course; segment the vessels first"
        raise NothingToDoError(msg)
    tree = VesselTree(system=system, branches=branches, repairs=repairs)
    return labelled(tree, site.liver_mm)


def _veins_and_cava(site: Site, system: VesselSystem) -> tuple[Mask, Mask]:
    """A system's mask, and the vena cava that it opens into, which may be empty."""
    if system == "portal":
        mask = site.label_map.mask(PORTAL_VEIN)
        return mask, np.zeros_like(mask)
    veins, cava = site.label_map.mask(HEPATIC_VEINS), site.label_map.mask(VENA_CAVA)
    return split_cava(veins, cava, site.label_map.geometry)


def _fragments(
    rooted: Rooted, inside: npt.NDArray[np.bool_], salt_mm: float
) -> tuple[Fragment, ...]:
    """Pieces of the forest in the liver that no root reaches, as tubes, largest first."""
    skeleton = rooted.skeleton
    count, piece = csgraph.connected_components(skeleton.graph())
    joined = np.unique(piece[rooted.reached])
    ends = skeleton.points_mm[skeleton.edges]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    owner = piece[skeleton.edges[:, 0]]
    radius = skeleton.radius_mm[skeleton.edges].mean(axis=1)
    length = np.bincount(owner, lengths, minlength=count)
    volume = np.bincount(owner, np.pi * radius**2 * lengths / 1000, minlength=count)
    long = (length >= salt_mm) & (length > 0)
    long &= np.bincount(piece, inside, minlength=count) >= LEAST_INSIDE * np.bincount(piece)
    loose = np.setdiff1d(np.flatnonzero(long), joined)
    found = []
    for number in loose[np.argsort(-volume[loose], kind="stable")]:
        x, y, z = (float(v) for v in skeleton.points_mm[piece == number].mean(axis=0))
        found.append(
            Fragment(
                centre_mm=(x, y, z),
                volume_ml=float(volume[number]),
                length_mm=float(length[number]),
            )
        )
    return tuple(found)


def _branches(
    rooted: Rooted, wall_mm: Points, thick: Wall | None, *, opens: bool
) -> tuple[VesselBranch, ...]:
    chains = chains_of(rooted)
    if not chains:
        return ()
    skeleton = rooted.skeleton
    forks = {chain.parent for chain in chains}
    opened = set(skeleton.opened.tolist())
    lines, rough = [], []
    for number, chain in enumerate(chains):
        line = smooth_line(skeleton.points_mm[chain.places])
        if number not in forks and chain.places[-1] not in opened:
            line = shortened(line, _CAP * float(skeleton.radius_mm[chain.places[-1]]))
        lines.append(line)
        rough.append(np.interp(
            np.linspace(0, 1, len(line)),
            np.linspace(0, 1, len(chain.places)),
            ndimage.median_filter(skeleton.radius_mm[chain.places], 3, mode="nearest"),
        ))  # fmt: skip
    parents = [c.parent for c in chains]
    radii = calibres(lines, parents, rough, wall_mm, thick, opens=opens)
    orders = _orders(parents, [float(np.median(r)) for r in radii])
    return tuple(
        VesselBranch(order=order, parent=parent, points_mm=line, radius_mm=radius)
        for order, parent, line, radius in zip(orders, parents, lines, radii, strict=True)
    )


def _orders(parents: list[int | None], radii: list[float]) -> list[int]:
    orders: list[int] = []
    for place, parent in enumerate(parents):
        if parent is None:
            orders.append(1)
            continue
        siblings = [radii[i] for i, p in enumerate(parents) if p == parent and i != place]
        carries_on = radii[place] >= _CARRIES_ON * radii[parent] and all(
            r <= _SLIGHT * radii[place] for r in siblings
        )
        orders.append(orders[parent] + (not carries_on))
    return orders
