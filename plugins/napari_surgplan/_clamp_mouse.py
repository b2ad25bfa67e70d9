"""Clicks on vessels while the liver is divided: each closes a branch, or opens it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from napari_surgplan._mouse import Pointer
from napari_surgplan._pick import first_hit
from napari_surgplan._rehearser import Clamp, Rehearser
from surgplan.mesh import Surface
from surgplan.planning import VesselSystem
from surgplan.volume import HEPATIC_VEINS, PORTAL_VEIN, Code

SYSTEMS: dict[Code, VesselSystem] = {PORTAL_VEIN.code: "portal", HEPATIC_VEINS.code: "hepatic"}


class ClampMouse:
    """Clicks of a 3D view turned into clamps.

    Parameters
    ----------
    rehearser
        Whose branches are closed.
    view
        Whose mouse; a napari viewer or a `ViewerModel`.
    """

    def __init__(self, rehearser: Rehearser, view: Any) -> None:
        self.rehearser = rehearser
        self.view = view
        view.mouse_drag_callbacks.append(self.click)

    def close(self) -> None:
        """Leave the view alone."""
        self.view.mouse_drag_callbacks.remove(self.click)

    def click(self, view: Any, event: Any) -> Iterator[None]:
        """What napari calls at a press, and goes on with at each move until the release."""
        pointer, dragged = Pointer.of(view, event), False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if event.button == 1 and not dragged:
            clamp = clamp_under(self.rehearser, pointer)
            if clamp is not None:
                self.rehearser.clamp(clamp)


def clamp_under(rehearser: Rehearser, pointer: Pointer) -> Clamp | None:
    """What is closed by a click on a vessel as it lies now; None beside the vessels."""
    stage = rehearser.stage
    if stage is None or pointer.direction is None:
        return None
    at_rest = {s.segment.code: s for s in rehearser.session.surfaces if s.segment.code in SYSTEMS}
    hit = first_hit(
        [_now(rehearser, s) for s in at_rest.values()], pointer.point_mm, pointer.direction
    )
    if hit is None:
        return None
    code = hit.surface.segment.code
    corner = np.linalg.norm(hit.surface.points - hit.point_mm, axis=1).argmin()
    point_mm = at_rest[code].points[corner]
    for perfusion in stage.prepared.perfusions.known():
        if perfusion.tree.system == SYSTEMS[code]:
            node = int(perfusion.nearest(point_mm[None])[0])
            return rehearser.clamp_at(SYSTEMS[code], int(perfusion.nodes.branch[node]))
    return None


def _now(rehearser: Rehearser, surface: Surface) -> Surface:
    """A vessel where the rehearsal has carried it."""
    points = rehearser.carried_points(surface.segment.label)
    return Surface(
        points=surface.points if points is None else points,
        triangles=rehearser.whole_triangles(surface),
        segment=surface.segment,
    )
