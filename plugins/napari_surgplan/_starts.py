"""A first cut of each kind, from a segmented case and as little as one click."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError
from surgplan.planning import (
    BezierResection,
    FreehandResection,
    Perfusion,
    PlaneResection,
    PreparedLiver,
    Resection,
    TerritoryResection,
    WedgeResection,
    best_plane,
    cut_sheet,
)

Points = npt.NDArray[np.float64]

_LAID_MM = 0.2  # wider than asked, so that the margin holds as computed
_AROUND = 1.1


def plane(prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float) -> PlaneResection:
    """The flat cut that clears the tumours and keeps most liver, held at its middle."""
    cut = best_plane(prepared, margin_mm=margin_mm, tumours=tumours)
    sheet = cut_sheet(prepared, cut, margins=False)
    if sheet.is_empty:
        return cut
    middle = sheet.points_mm.mean(axis=0)
    normal = np.asarray(cut.normal)
    on_cut = middle - ((middle - np.asarray(cut.point_mm)) @ normal) * normal
    return PlaneResection(point_mm=_xyz(on_cut), normal=cut.normal)


def curved(prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float) -> BezierResection:
    """A curved cut to be bent, at first as flat as the best plane; its handles span the liver."""
    flat = plane(prepared, tumours, margin_mm)
    sheet = cut_sheet(prepared, flat, margins=False)
    away = sheet.points_mm - np.asarray(flat.point_mm)
    size = 2 * float(np.linalg.norm(away, axis=1).max(initial=40.0)) / np.sqrt(2) * _AROUND
    return BezierResection.from_plane(flat.point_mm, flat.normal, size_mm=size)


def bowl(prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float) -> BezierResection:
    """A curved cut that hugs the tumours."""
    return BezierResection.on(prepared, list(tumours), margin_mm + _LAID_MM)


def wedge(prepared: PreparedLiver, tumours: Sequence[int], margin_mm: float) -> WedgeResection:
    """All within the margin of the tumours, open to the surface of the liver."""
    return WedgeResection.on(prepared, list(tumours), margin_mm + _LAID_MM)


def widened(prepared: PreparedLiver, wedge: WedgeResection, margin_mm: float) -> WedgeResection:
    """The same wedges with another margin, out the same ways."""
    data = wedge.to_dict()
    laid = margin_mm + _LAID_MM
    for row in data["corridors"]:
        row["end_mm"] += max(laid - data["margin_mm"], 0.0)
    data["margin_mm"] = laid
    return WedgeResection.from_dict(data, prepared.label_map)


def drawn(
    prepared: PreparedLiver, tumours: Sequence[int], path_mm: Points, into_depth: Points
) -> FreehandResection:
    """A cut along a path drawn on the liver, the tumours (or else the smaller part) resected.

    Raises
    ------
    UsageError
        If the path has no length or crosses itself.
    """
    path = np.asarray(path_mm, dtype=np.float64)
    if len(path) < 2:
        msg = f"a drawn cut needs 2 points or more, got {len(path)}; click on the liver again"
        raise UsageError(msg)
    cut = FreehandResection(path_mm=path, direction=_xyz(into_depth))
    back = FreehandResection(path_mm=path[::-1], direction=_xyz(into_depth))
    wanted = [s.boundary.points_mm for s in prepared.tumours if s.tumour.id in set(tumours)]
    points = np.concatenate(wanted) if wanted else prepared.blocks.centre_mm
    resected = float((cut.distance_mm(points) < 0).mean())
    right_way = resected >= 0.5 if wanted else resected <= 0.5
    return cut if right_way else back


def territory(perfusion: Perfusion, branch: int) -> TerritoryResection:
    """All that hangs on a branch of a vessel tree."""
    return TerritoryResection(tree=perfusion.tree, branches=(branch,))


def other_side(resection: Resection) -> Resection | None:
    """The same cut with its other side resected; None for kinds that have no other side."""
    if isinstance(resection, PlaneResection):
        x, y, z = resection.normal
        return PlaneResection(point_mm=resection.point_mm, normal=(-x, -y, -z))
    if isinstance(resection, BezierResection):
        return resection.other_side()
    if isinstance(resection, FreehandResection):
        return FreehandResection(path_mm=resection.path_mm[::-1], direction=resection.direction)
    return None


def _xyz(point: Points) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
