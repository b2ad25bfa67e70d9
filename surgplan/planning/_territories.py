"""Which branch each voxel of the liver belongs to, and how much hangs on each branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._geodesic import geodesic_nearest
from surgplan.planning._vessel_tree import VesselTree
from surgplan.volume import Code, Geometry, LabelMap, Segment, box_of

Metric = Literal["euclidean", "geodesic", "radius"]

METRICS: tuple[Metric, ...] = ("euclidean", "geodesic", "radius")

SAMPLE_MM = 0.5
_CHUNK = 200_000
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
    (0, 114, 178), (213, 94, 0), (204, 121, 167), (150, 150, 150),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Territories:
    """The liver divided among the branches of one tree.

    Attributes
    ----------
    tree
        The tree.
    metric
        What was called nearest.
    array
        ``(slice, row, column)`` uint16 on the box of the liver, read-only: 0 outside the liver,
        else 1 + the place of the branch in the tree.
    geometry
        Where the box lies.
    branch_ml
        ``(branches,)`` millilitres nearest to each branch; their sum is the liver.
    downstream_ml
        ``(branches,)`` the same for each branch with all behind it: what is lost with it.
    """

    tree: VesselTree
    metric: Metric
    array: npt.NDArray[np.uint16]
    geometry: Geometry
    branch_ml: npt.NDArray[np.float64]
    downstream_ml: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape or self.array.dtype != np.uint16:
            msg = f"`array` must be uint16 of shape {self.geometry.shape}, got {self.array.dtype}"
            raise UsageError(msg)
        for name in ("array", "branch_ml", "downstream_ml"):
            owned = np.array(getattr(self, name))
            owned.flags.writeable = False
            object.__setattr__(self, name, owned)

    def behind(self, branch: int) -> npt.NDArray[np.bool_]:
        """Voxels of a branch and of all behind it, on the box."""
        wanted = np.zeros(len(self.tree.branches) + 1, dtype=bool)
        wanted[np.array(self.tree.subtree(branch)) + 1] = True
        inside: npt.NDArray[np.bool_] = wanted[self.array]
        return inside

    def by_label(self) -> LabelMap:
        """The territories of branches of the same name joined, on the box of the liver.

        Codes are of a scheme of their own, since they are names of vessels, not of tissue.
        """
        words = sorted({b.label or "unnamed branch" for b in self.tree.branches})
        number = {word: n for n, word in enumerate(words, start=1)}
        table = np.array(
            [0, *(number[b.label or "unnamed branch"] for b in self.tree.branches)], dtype=np.uint8
        )
        segments = tuple(
            Segment(
                label=n,
                name=f"territory of {word}",
                code=Code(value=f"territory {word}", meaning=f"Territory of {word}",
                          scheme="99SURGPLAN"),
                colour=_COLOURS[n % len(_COLOURS)],
            )
            for word, n in number.items()
        )  # fmt: skip
        return LabelMap(array=table[self.array], geometry=self.geometry, segments=segments)

    def by_label_on(self, geometry: Geometry) -> LabelMap:
        """The same on the whole grid that the box of the liver was cut from."""
        box = self.by_label()
        first = np.rint(geometry.to_index(self.geometry.to_lps((0, 0, 0)))).astype(int)
        array = np.zeros(geometry.shape, dtype=np.uint8)
        array[tuple(slice(a, a + n) for a, n in zip(first, box.array.shape, strict=True))] = (
            box.array
        )
        return LabelMap(array=array, geometry=geometry, segments=box.segments)

    def table(self) -> list[dict[str, Any]]:
        """A row per branch, ready for JSON."""
        return [
            {
                "branch": i,
                "system": self.tree.system,
                "label": b.label,
                "confidence": round(b.confidence, 3),
                "parent": b.parent,
                "order": b.order,
                "radius_mm": round(b.median_radius_mm, 3),
                "length_mm": round(b.length_mm, 2),
                "branch_ml": round(float(self.branch_ml[i]), 3),
                "downstream_ml": round(float(self.downstream_ml[i]), 3),
            }
            for i, b in enumerate(self.tree.branches)
        ]


def territories(
    tree: VesselTree, label_map: LabelMap, *, metric: Metric = "euclidean"
) -> Territories:
    """Give each voxel of the whole liver to the nearest branch of a tree.

    Parameters
    ----------
    tree
        Portal tree for supply, hepatic tree for drainage.
    label_map
        The liver, on a grid with perpendicular axes.
    metric
        ``'euclidean'``: straight to the centreline. ``'geodesic'``: the shortest way inside the
        liver, so that nothing is served across a fissure; equal to Euclidean wherever the straight
        way stays in the liver. ``'radius'``: the power distance d^2 - r^2, in which thick vessels
        reach farther (Aurenhammer 1987, doi:10.1137/0216006).

    Raises
    ------
    NothingToDoError
        If there is no liver.
    UsageError
        If the metric is unknown or the grid sheared.
    """
    if metric not in METRICS:
        msg = f"`metric` must be one of {', '.join(METRICS)}, got {metric!r}"
        raise UsageError(msg)
    whole = label_map.whole_liver()
    if not whole.any():
        msg = "territories need a liver, and the label map has none; segment it first"
        raise NothingToDoError(msg)
    box = box_of(whole, label_map.geometry)
    start, stop = [s.start for s in box], [s.stop for s in box]
    geometry = label_map.geometry.window(
        (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])
    )
    inside = whole[box]
    nearest = nearest_branch(tree, inside, geometry, metric)
    array = np.zeros(inside.shape, dtype=np.uint16)
    array[inside] = nearest + 1
    voxel_ml = geometry.voxel_volume_mm3 / 1000
    counts = np.bincount(nearest, minlength=len(tree.branches)).astype(np.float64)
    own = counts * voxel_ml
    return Territories(
        tree=tree,
        metric=metric,
        array=array,
        geometry=geometry,
        branch_ml=own,
        downstream_ml=tree.downstream(own),
    )


def nearest_branch(
    tree: VesselTree, inside: npt.NDArray[np.bool_], geometry: Geometry, metric: Metric
) -> npt.NDArray[np.int64]:
    """Place of the nearest branch for each voxel of a mask, in the order of ``mask.nonzero()``."""
    points, owner, radius = tree.samples(SAMPLE_MM)
    voxels = geometry.to_lps(np.argwhere(inside))
    if metric == "radius":
        # With a fourth coordinate sqrt(R^2 - r^2), the power distance is a Euclidean one.
        lift = np.sqrt(np.maximum(radius.max() ** 2 - radius**2, 0.0))
        points = np.column_stack([points, lift])
        voxels = np.column_stack([voxels, np.zeros(len(voxels))])
    near = _nearest(points, voxels)
    if metric == "geodesic":
        near = geodesic_nearest(inside, geometry, points, near)
    result: npt.NDArray[np.int64] = owner[near]
    return result


def _nearest(points: Points, voxels: Points) -> npt.NDArray[np.int64]:
    tree = cKDTree(points)
    near = np.empty(len(voxels), dtype=np.int64)
    for first in range(0, len(voxels), _CHUNK):
        near[first : first + _CHUNK] = tree.query(voxels[first : first + _CHUNK])[1]
    return near
