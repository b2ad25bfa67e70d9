"""Plans that begin with clicks in a view: a vessel chosen, points drawn on the liver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan import _starts
from napari_surgplan._mouse import Pointer, Stroke
from napari_surgplan._pick import first_hit, nearest_to_ray
from napari_surgplan._planner import Planner
from surgplan.errors import SurgplanError, UsageError
from surgplan.mesh import Surface
from surgplan.planning import Perfusion, Perfusions
from surgplan.volume import HEPATIC_VEINS, LIVER, PORTAL_VEIN

Points = npt.NDArray[np.float64]

HINTS: dict[str, str] = {
    "territory": "Click a branch of the portal vein: what hangs on it is resected.",
    "drawn": "Draw across the liver with the mouse pressed, or click two points or more on it.",
}
DOUBTFUL = "what hangs on a branch of it is not sure. Check the specimen on the slices."
_NEAR_MM, _NEAR_PIXELS = 8.0, 6.0
_STEP_MM = 15.0
"""Between the points of a path that is drawn with the mouse pressed: as many handles as needed."""


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

    @property
    def begins(self) -> bool:
        """Whether the next click begins a cut."""
        return self.mode is not None and not self._begun

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
        with self._told():
            if self.mode == "territory":
                self._vessel(pointer)
            elif self.mode == "drawn":
                self._point(pointer)
            else:
                return False
        return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What cannot be cut is told, and no more."""
        try:
            yield
        except SurgplanError as e:
            self.planner.session.message.emit(str(e))

    def press(self, pointer: Pointer) -> Stroke | None:
        """A path that is drawn from here; None where no liver is, or in another mode."""
        point = self.on_liver(pointer) if self.mode == "drawn" else None
        return None if point is None else _Path(self, pointer, point)

    def draw(self, path: list[Points], depth: Points) -> None:
        """A path instead of the points clicked so far, while the hand is still on it."""
        self.path, self._depth = path, depth
        with self._told():
            self._cut(held=True)

    def _point(self, pointer: Pointer) -> None:
        point = self.on_liver(pointer)
        if point is None:
            msg = "no liver is there; click on its surface"
            raise UsageError(msg)
        if self._depth is None:
            self._depth = _depth_of(pointer)
        self.path.append(point)
        self._cut(held=False)

    def _cut(self, *, held: bool) -> None:
        """The cut along the path, once it has two points."""
        prepared = self.planner.prepared
        if len(self.path) < 2 or prepared is None or self._depth is None:
            return
        cut = _starts.drawn(prepared, self.planner.tumours, np.array(self.path), self._depth)
        if self._begun:
            self.planner.go_on_with(cut, held=held)
        else:
            self._begun = True
            self.planner.begin("drawn", cut, held=held)

    def on_liver(self, pointer: Pointer) -> Points | None:
        """Where the liver is under the pointer, LPS; None beside it."""
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


class _Path:
    """A path drawn with the mouse pressed."""

    def __init__(self, clicks: PlanClicks, pressed: Pointer, start_mm: Points) -> None:
        self._clicks, self._pressed, self._points = clicks, pressed, [start_mm]

    def go(self, pointer: Pointer) -> None:
        """On to the pointer, if that is on the liver and far enough."""
        point = self._clicks.on_liver(pointer)
        if point is not None and np.linalg.norm(point - self._points[-1]) >= _STEP_MM:
            self._points.append(point)
            self._clicks.draw(self._points, _depth_of(self._pressed))

    def lift(self) -> None:
        """The path is whole; one without a length is a click."""
        if len(self._points) < 2:
            self._clicks.click(self._pressed)
        else:
            self._clicks.planner.let_go()


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
