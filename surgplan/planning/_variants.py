"""Other cuts of the kind of one at hand: moved the way it faces, or with other branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from surgplan.errors import UsageError
from surgplan.planning._bezier import BezierResection
from surgplan.planning._boundary import Points
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._perfusion import Perfusion
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._samples import Samples
from surgplan.planning._territory_family import outermost, serving, territories_with
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._verify import must_go
from surgplan.planning._wedge import WedgeResection

_SHIFTS = 8
_CLEARANCE_MM = 0.05
_OTHER_SIDE = "its other side resected"

Sheet = PlaneResection | BezierResection | FreehandResection


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A cut of the same kind, and in a few words what makes it another one; empty if nothing."""

    resection: Resection
    words: str = ""


def variants(
    prepared: PreparedLiver, samples: Samples, resection: Resection, margin_mm: float
) -> Iterator[Variant]:
    """The cut itself, then others of its kind that clear more tumours by a margin, or fewer."""
    yield Variant(resection=resection)
    if isinstance(resection, Sheet):
        yield from _moved(samples, resection, margin_mm)
        turned = _turned(resection)
        yield Variant(resection=turned, words=_OTHER_SIDE)
        for variant in _moved(samples, turned, margin_mm):
            yield replace(variant, words=f"{_OTHER_SIDE}, {variant.words}")
    elif isinstance(resection, TerritoryResection):
        yield from _branched(prepared, resection, margin_mm)
    elif isinstance(resection, WedgeResection):
        ids = [shape.tumour.id for shape in prepared.tumours]
        whole = WedgeResection.on(prepared, ids, margin_mm)
        yield Variant(resection=whole, words="laid anew around every tumour")


def _moved(samples: Samples, cut: Sheet, margin_mm: float) -> Iterator[Variant]:
    """Moved the way that it faces, until it just clears the tumour nearest to it, two, ... all."""
    way = _way(samples, cut)
    if way is None:
        return
    lacking = [_lacking_mm(cut, hull, margin_mm) for hull in samples.hulls]
    order = np.argsort(lacking)
    for count in range(1, len(order) + 1):
        hulls = np.concatenate([samples.hulls[n] for n in order[:count]])
        by_mm = _shift_mm(cut, way, hulls, margin_mm)
        if by_mm is not None and abs(by_mm) > _CLEARANCE_MM:
            words = f"moved {abs(by_mm):.0f} mm" if abs(by_mm) >= 1 else "moved by less than 1 mm"
            yield Variant(resection=_shifted(cut, by_mm * way), words=words)


def _way(samples: Samples, cut: Sheet) -> Points | None:
    """Unit vector ``(3,)`` from the specimen to the remnant; None where the cut meets no liver."""
    if isinstance(cut, PlaneResection):
        return -np.asarray(cut.normal)
    facing = samples.facing_mm2(cut.distance_mm(samples.coarse) < 0)
    length = float(np.linalg.norm(facing))
    return facing / length if length > 0 else None


def _shift_mm(cut: Sheet, way: Points, points_mm: Points, margin_mm: float) -> float | None:
    """How far a cut must move until it keeps a margin from points; None where it never does."""
    by_mm = 0.0
    for _ in range(_SHIFTS):
        lacking = _lacking_mm(cut, points_mm - by_mm * way, margin_mm)
        if -2 * _CLEARANCE_MM <= lacking <= 0:
            return by_mm
        by_mm += lacking + _CLEARANCE_MM
    return by_mm if lacking <= 0 else None


def _lacking_mm(cut: Sheet, points_mm: Points, margin_mm: float) -> float:
    return margin_mm + float(cut.distance_mm(points_mm).max())


def _turned(cut: Sheet) -> Sheet:
    """The same cut with its other side resected."""
    if isinstance(cut, PlaneResection):
        x, y, z = cut.normal
        return replace(cut, normal=(-x, -y, -z))
    if isinstance(cut, BezierResection):
        return cut.other_side()
    return replace(cut, path_mm=cut.path_mm[::-1])


def _shifted(cut: Sheet, by_mm: Points) -> Resection:
    if isinstance(cut, PlaneResection):
        x, y, z = (float(v) for v in np.asarray(cut.point_mm) + by_mm)
        return replace(cut, point_mm=(x, y, z))
    if isinstance(cut, BezierResection):
        return replace(cut, control_points_mm=cut.control_points_mm + by_mm)
    return replace(cut, path_mm=cut.path_mm + by_mm)


def _branched(
    prepared: PreparedLiver, cut: TerritoryResection, margin_mm: float
) -> Iterator[Variant]:
    """What hangs on branches before the chosen ones, and what serves all that must go as well."""
    owners = [p for p in prepared.perfusions.each() if p.tree.system == cut.tree.system]
    if not owners:
        return
    perfusion = owners[0]
    seen = {cut.branches}
    for branches in (*_before(perfusion, cut), *_serving(prepared, perfusion, cut, margin_mm)):
        if branches not in seen:
            seen.add(branches)
            try:
                other = TerritoryResection(tree=perfusion.tree, branches=branches)
            except UsageError:  # it would leave nothing
                continue
            yield Variant(resection=other, words=f"now the {other.name}")


def _before(perfusion: Perfusion, cut: TerritoryResection) -> Iterator[tuple[int, ...]]:
    """For a single branch, the vessels on the way from it to the root, each as a whole."""
    branches = perfusion.tree.branches
    above = branches[cut.branches[0]].parent if len(cut.branches) == 1 else None
    while above is not None:
        parent = branches[above].parent
        if parent is None or branches[parent].label != branches[above].label:
            yield (above,)
        above = parent


def _serving(
    prepared: PreparedLiver, perfusion: Perfusion, cut: TerritoryResection, margin_mm: float
) -> Iterator[tuple[int, ...]]:
    """The chosen branches and, from the root out, those that serve what must go."""
    nodes = serving(prepared, perfusion, must_go(prepared, margin_mm))
    if not len(nodes):
        return
    for territory in territories_with(perfusion, nodes):
        yield territory.branches
        both = outermost(perfusion.tree, (*cut.branches, *territory.branches))
        yield tuple(sorted(both))
