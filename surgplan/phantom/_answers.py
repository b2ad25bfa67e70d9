"""The known answers of a phantom as a plain dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from surgplan.phantom._lesions import Lesion
from surgplan.phantom._trees import Branch, VesselTree

if TYPE_CHECKING:
    from surgplan.phantom._phantom import Phantom

MAJOR_MM = 2.0
"""Radius from which on a vessel counts as major in the distances of lesions."""

PLANES = {
    "right_hemihepatectomy": ((-20.0, 2.0, 0.0), (-0.86, 0.51, 0.0)),
    "left_lateral_sectionectomy": ((1.0, -50.0, 0.0), (0.9874, 0.158, 0.0)),
}
"""Template planes by point and normal; the normal points to the side that would be resected."""


def known_answers(phantom: Phantom) -> dict[str, Any]:
    """Everything that is known about a phantom, ready for JSON."""
    return {
        "schema": 1,
        "seed": phantom.settings.seed,
        "spacing_mm": [round(s, 6) for s in phantom.label_map.geometry.spacing_mm],
        "shape": list(phantom.label_map.geometry.shape),
        "volumes_ml": _volumes_ml(phantom),
        "lesions": [_lesion(phantom, lesion) for lesion in phantom.lesions],
        "vessels": [_branch(t, b) for t in phantom.trees for b in t.branches],
        "feeders": [_feeder(t, b) for t in phantom.trees for b in t.feeders],
        "planes": [_plane(phantom, name) for name in PLANES],
    }


def _volumes_ml(phantom: Phantom) -> dict[str, Any]:
    labels, couinaud = phantom.label_map, phantom.couinaud
    whole = float(labels.whole_liver().sum()) * labels.geometry.voxel_volume_mm3 / 1000
    return {
        "by": "voxel count on this grid",
        "whole liver": round(whole, 4),
        **{s.name: round(labels.volume_ml(s), 4) for s in labels.segments},
        **{s.name: round(couinaud.volume_ml(s), 4) for s in couinaud.segments},
    }


def _lesion(phantom: Phantom, lesion: Lesion) -> dict[str, Any]:
    return {
        "number": lesion.number,
        "kind": lesion.spec.kind,
        "label": lesion.segment.label,
        "contact": lesion.spec.contact,
        "volume_ml": round(lesion.volume_ml, 6),
        "centre_mm": _rounded(lesion.centre_mm),
        "semi_axes_mm": _rounded(lesion.semi_axes_mm),
        "axes": [_rounded(axis, 6) for axis in lesion.axes],
        "diameter_mm": round(2 * float(lesion.semi_axes_mm.max()), 4),
        "nearest": [
            near
            for tree in phantom.trees
            for major_only in (False, True)
            if (near := _nearest(tree, lesion, major_only=major_only)) is not None
        ],
    }


def _nearest(tree: VesselTree, lesion: Lesion, *, major_only: bool) -> dict[str, Any] | None:
    """The branch whose wall comes nearest to a lesion; a negative distance is an overlap."""
    least = MAJOR_MM if major_only else 0.0
    chosen = [b for b in tree.branches if b.radius_mm >= least]
    if not chosen:
        return None
    bounds = [_ball_gap_mm(lesion, b) for b in chosen]  # never above the true gap
    slack = float(np.ptp(lesion.semi_axes_mm)) + 1e-6  # and never more than this below it
    gaps = [
        float(lesion.distance_mm(b.samples_mm(0.25)).min()) - b.radius_mm
        if bound <= min(bounds) + slack
        else np.inf
        for b, bound in zip(chosen, bounds, strict=True)
    ]
    best = int(np.argmin(gaps))
    return {
        "system": tree.system,
        "radius_at_least_mm": least,
        "branch": chosen[best].label,
        "radius_mm": round(chosen[best].radius_mm, 4),
        "distance_mm": round(gaps[best], 3),
    }


def _ball_gap_mm(lesion: Lesion, branch: Branch) -> float:
    """Gap between a branch and the ball around the lesion."""
    offsets = branch.samples_mm(0.25) - lesion.centre_mm
    nearest = float(np.sqrt((offsets**2).sum(axis=1).min()))
    return nearest - float(lesion.semi_axes_mm.max()) - branch.radius_mm


def _branch(tree: VesselTree, branch: Branch) -> dict[str, Any]:
    parent = None if branch.parent is None else tree.branches[branch.parent].label
    return {
        "system": tree.system,
        "label": branch.label,
        "order": branch.order,
        "parent": parent,
        "parent_index": branch.parent,
        "radius_mm": round(branch.radius_mm, 5),
        "length_mm": round(branch.length_mm, 3),
        "terminals": branch.terminals,
        "start_mm": _rounded(branch.points_mm[0]),
        "end_mm": _rounded(branch.points_mm[-1]),
    }


def _feeder(tree: VesselTree, branch: Branch) -> dict[str, Any]:
    return {
        "system": tree.system,
        "label": branch.label,
        "radius_mm": round(branch.radius_mm, 5),
        "length_mm": round(branch.length_mm, 3),
        "start_mm": _rounded(branch.points_mm[0]),
        "end_mm": _rounded(branch.points_mm[-1]),
    }


def _plane(phantom: Phantom, name: str) -> dict[str, Any]:
    """A plane in LPS, the margin that it leaves to each lesion, and how it parts the liver."""
    labels = phantom.label_map
    point, normal = (np.asarray(v) for v in PLANES[name])
    at = phantom.individual.place(point[None])[0]
    whole = np.argwhere(labels.whole_liver())
    beyond = (labels.geometry.to_lps(whole) - at) @ normal > 0
    voxel_ml = labels.geometry.voxel_volume_mm3 / 1000
    return {
        "name": name,
        "point_mm": _rounded(at),
        "normal": _rounded(normal / np.linalg.norm(normal), 6),
        "margins_mm": [round(le.margin_to_plane_mm(at, normal), 4) for le in phantom.lesions],
        "resected_ml": round(float(beyond.sum()) * voxel_ml, 4),
        "remnant_ml": round(float((~beyond).sum()) * voxel_ml, 4),
    }


def _rounded(values: npt.NDArray[np.float64], digits: int = 4) -> list[float]:
    return [round(float(v), digits) for v in values]
