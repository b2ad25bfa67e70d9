"""Plans that begin with clicks in a view: a vessel chosen, points drawn on the liver."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan import _starts
from napari_surgplan._mouse import Pointer
from napari_surgplan._pick import first_hit, nearest_to_ray
from napari_surgplan._planner import Planner
from surgplan.errors import SurgplanError, UsageError
from surgplan.mesh import Surface
from surgplan.planning import Perfusion, Perfusions
from surgplan.volume import HEPATIC_VEINS, LIVER, PORTAL_VEIN

Points = npt.NDArray[np.float64]

HINTS: dict[str, str] = {
    "territory": "Click a branch of the portal vein: what hangs on it is resected.",
    "drawn": "Click points on the liver, from one edge to the other; two are enough.",
}
DOUBTFUL = "what hangs on a branch of it is not sure. Check the specimen on the slices."
_NEAR_MM, _NEAR_PIXELS = 8.0, 6.0


class PlanClicks:
    """Turns clicks into plans while a mode is on.

    Attributes
    ----------
    changed
        Another mode, or another hint.
    """

    changed = Signal()

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.mode: str | None = None
        self.path: list[Points] = []
        self._depth: Points | None = None
        self._begun = False

    @property
    def hint(self) -> str:
        """What to click next; empty without a mode."""
        return "" if self.mode is None else HINTS[self.mode]

    def start(self, mode: str) -> None:
        """Wait for the clicks of a kind in `HINTS`."""
        self.mode, self.path, self._depth, self._begun = mode, [], None, False
        self.changed.emit()

    def stop(self) -> None:
        """Wait no longer."""
        self.mode = None
        self.changed.emit()

    def click(self, pointer: Pointer) -> bool:
        """Use a click; whether it was for this."""
        try:
            if self.mode == "territory":
                self._vessel(pointer)
            elif self.mode == "drawn":
                self._point(pointer)
            else:
                return False
        except SurgplanError as e:
            self.planner.session.message.emit(str(e))
        return True

    def _point(self, pointer: Pointer) -> None:
        point = self._on_liver(pointer)
        if point is None:
            msg = "no liver is there; click on its surface"
            raise UsageError(msg)
        if self._depth is None:
            self._depth = _depth_of(pointer)
        self.path.append(point)
        prepared = self.planner.prepared
        if len(self.path) < 2 or prepared is None:
            return
        cut = _starts.drawn(prepared, self.planner.tumours, np.array(self.path), self._depth)
        if self._begun:
            self.planner.go_on_with(cut)
        else:
            self._begun = True
            self.planner.begin("drawn", cut)

    def _on_liver(self, pointer: Pointer) -> Points | None:
        if pointer.direction is None:
            return pointer.point_mm
        liver = [s for s in self.planner.session.surfaces if s.segment.code == LIVER.code]
        hit = first_hit(liver, pointer.point_mm, pointer.direction)
        return None if hit is None else hit.point_mm

    def _vessel(self, pointer: Pointer) -> None:
        found = self.branch_at(pointer)
        if found is None:
            prepared = self.planner.prepared
            missing = () if prepared is None else prepared.perfusions.missing
            msg = "no vessel is there; click on a branch of the portal or hepatic veins"
            raise UsageError("; ".join((msg, *missing)))
        perfusion, branch = found
        doubt = "" if perfusion.is_known else f"Only fragments: {perfusion.reach}; {DOUBTFUL}"
        self.planner.begin("territory", _starts.territory(perfusion, branch), doubt)
        self.stop()

    def branch_at(self, pointer: Pointer) -> tuple[Perfusion, int] | None:
        """The vessel tree and the branch under the pointer, or else just beside it in 3D."""
        prepared = self.planner.prepared
        if prepared is None:
            return None
        point, wanted = pointer.point_mm, None
        if pointer.direction is not None:
            hit = first_hit(self._vessels(), point, pointer.direction)
            if hit is None:
                return _beside(prepared.perfusions, pointer, pointer.direction)
            point, wanted = hit.point_mm, hit.surface.segment.code
        best: tuple[float, Perfusion, int] | None = None
        for perfusion in prepared.perfusions.each():
            code = PORTAL_VEIN.code if perfusion.tree.system == "portal" else HEPATIC_VEINS.code
            node = int(perfusion.nearest(point[None])[0])
            away = float(np.linalg.norm(perfusion.nodes.points_mm[node] - point))
            away -= float(perfusion.nodes.radius_mm[node])
            near = away <= _NEAR_MM and wanted in (None, code)
            if near and (best is None or away < best[0]):
                best = (away, perfusion, int(perfusion.nodes.branch[node]))
        return None if best is None else best[1:]

    def _vessels(self) -> list[Surface]:
        codes = (PORTAL_VEIN.code, HEPATIC_VEINS.code)
        return [s for s in self.planner.session.surfaces if s.segment.code in codes]


def _beside(
    perfusions: Perfusions, pointer: Pointer, direction: Points
) -> tuple[Perfusion, int] | None:
    """The branch nearest to the line of sight, within `_NEAR_PIXELS` of it."""
    best: tuple[float, Perfusion, int] | None = None
    for perfusion in perfusions.each():
        nodes = perfusion.nodes
        node, away = nearest_to_ray(nodes.points_mm, pointer.point_mm, direction)
        away -= float(nodes.radius_mm[node])
        if away <= _NEAR_PIXELS * pointer.pixel_mm and (best is None or away < best[0]):
            best = (away, perfusion, int(nodes.branch[node]))
    return None if best is None else best[1:]


def _depth_of(pointer: Pointer) -> Points:
    """Where a drawn cut goes: away from the eye, or across the slice."""
    if pointer.direction is not None:
        return pointer.direction
    depth: Points = -np.eye(3)[pointer.through]
    return depth
