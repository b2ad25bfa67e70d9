"""Fewer triangles without a hole."""

from __future__ import annotations

from dataclasses import replace

import fast_simplification
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from vtkmodules.vtkFiltersCore import vtkQuadricDecimation

from surgplan.errors import UsageError
from surgplan.mesh._polydata import from_polydata, to_polydata
from surgplan.mesh._surface import Surface
from surgplan.mesh._topology import piece_of_points, torn_points

LEAST_TRIANGLES = 4
"""A tetrahedron."""

_LEAST_PIECE = 60  # triangles below which a piece has no shape
_STEP = 3.0  # times fewer triangles at once: what must stay at a tear is small then
_LEAST_STEP = 1.1
_MOST_ROUNDS = 8
_SAME_VOLUME = 1e-4


def simplify(surface: Surface, triangles: int) -> Surface:
    """The surface with about as many triangles as asked, closed if it was, of the same volume.

    Quadric decimation (Garland and Heckbert 1997, doi:10.1145/258734.258849) piece by piece, then a
    push along the normals that gives back the volume. Where decimation would tear the surface,
    what was there keeps its triangles; where that does not help, or small pieces need more
    triangles than asked, the surface comes back with more: never torn, never without a piece.

    Parameters
    ----------
    surface
        Any surface; an open one is decimated without these checks.
    triangles
        Wanted number; a surface that has no more comes back unchanged.

    Raises
    ------
    UsageError
        If ``triangles`` is less than 4.
    """
    if triangles < LEAST_TRIANGLES:
        msg = f"`triangles` must be at least {LEAST_TRIANGLES}, a tetrahedron, got {triangles}"
        raise UsageError(msg)
    if len(surface.triangles) <= triangles:
        return surface
    share = triangles / len(surface.triangles)
    pieces = [_simpler_piece(piece, share) for piece in _pieces(surface)]
    offsets = np.cumsum([0] + [len(piece.points) for piece in pieces])
    together = replace(
        surface,
        points=np.vstack([piece.points for piece in pieces]),
        triangles=np.vstack([p.triangles + o for p, o in zip(pieces, offsets, strict=False)]),
    )
    return _restore_volume(together, surface) if surface.is_closed else together


def _pieces(surface: Surface) -> list[Surface]:
    """Its connected pieces."""
    piece = piece_of_points(surface.triangles)[surface.triangles[:, 0]]
    order = np.argsort(piece, kind="stable")
    starts = np.flatnonzero(np.diff(piece[order])) + 1
    return [
        _compact(surface, surface.points, surface.triangles[rows])
        for rows in np.split(order, starts)
    ]


def _compact(
    surface: Surface, points: npt.NDArray[np.float64], triangles: npt.NDArray[np.int32]
) -> Surface:
    """The triangles with those points only that they use."""
    used, corners = np.unique(triangles, return_inverse=True)
    return replace(surface, points=points[used], triangles=corners.reshape(-1, 3).astype(np.int32))


def _simpler_piece(piece: Surface, share: float) -> Surface:
    """A piece with its share of the triangles, or as few as it can have without tearing."""
    wanted = max(_LEAST_PIECE, round(len(piece.triangles) * share))
    step = _STEP
    while len(piece.triangles) > wanted and step > _LEAST_STEP:
        target = max(wanted, round(len(piece.triangles) / step))
        for decimate in (_decimate_whole, _decimate_in_order):
            simpler = decimate(piece, target)
            if simpler is not None and len(simpler.triangles) < len(piece.triangles):
                piece = simpler
                break
        else:
            step **= 0.5
    return piece


def _decimate_in_order(piece: Surface, triangles: int) -> Surface | None:
    """Decimated with the cheapest edge always first; None if it tears.

    Several times slower than `fast_simplification`, but goes on where that stops: on flat caps.
    """
    ordered = vtkQuadricDecimation()
    ordered.SetInputData(to_polydata(piece))
    ordered.SetTargetReduction(1 - triangles / len(piece.triangles))
    ordered.Update()
    simpler = from_polydata(ordered.GetOutput(), piece.segment)
    return simpler if simpler.is_closed or not piece.is_closed else None


def _decimate_whole(piece: Surface, triangles: int) -> Surface | None:
    """Decimated once, keeping what would tear; None if it tears however much is kept."""
    kept = np.zeros(len(piece.points), dtype=bool)
    if not piece.is_closed:
        return _decimate(piece, triangles, kept)
    tree = cKDTree(piece.points)
    for attempt in range(_MOST_ROUNDS):
        simpler = _decimate(piece, triangles, kept)
        if simpler is None or simpler.is_closed:
            return simpler
        for point in torn_points(simpler.triangles):
            reach_mm = _reach_mm(simpler, int(point)) * (1.5 + attempt / 2)
            kept[tree.query_ball_point(simpler.points[point], reach_mm)] = True
    return None


def _reach_mm(surface: Surface, point: int) -> float:
    """Length of the longest edge of the triangles at a point."""
    there = surface.triangles[(surface.triangles == point).any(axis=1)]
    return float(np.linalg.norm(surface.points[there] - surface.points[point], axis=-1).max())


def _decimate(piece: Surface, triangles: int, kept: npt.NDArray[np.bool_]) -> Surface | None:
    """Decimated except for the triangles at points to keep; None if those alone are too many."""
    stays = kept[piece.triangles].any(axis=1)
    fixed = piece.triangles[stays]
    wanted = triangles - len(fixed)
    if wanted < LEAST_TRIANGLES:
        return None
    free = _compact(piece, piece.points, piece.triangles[~stays])
    points, corners = fast_simplification.simplify(
        free.points.copy(),  # it takes no read-only arrays
        free.triangles.copy(),
        target_count=wanted,
        preserve_border=True,
    )
    if not len(fixed):
        return _compact(piece, points, corners)
    both = np.vstack([fixed, corners + len(piece.points)])
    places = np.vstack([piece.points, points])[both.ravel()]
    welded, at = np.unique(places, axis=0, return_inverse=True)  # border points have not moved
    return replace(piece, points=welded, triangles=at.reshape(-1, 3).astype(np.int32))


def _restore_volume(simpler: Surface, surface: Surface) -> Surface:
    """Pushed along the normals to the volume it had."""
    for _ in range(3):
        missing_mm3 = (surface.volume_ml - simpler.volume_ml) * 1000
        if abs(missing_mm3) <= _SAME_VOLUME * abs(surface.volume_ml) * 1000:
            break
        push_mm = missing_mm3 / simpler.area_mm2
        simpler = replace(simpler, points=simpler.points + push_mm * simpler.normals)
    return simpler
