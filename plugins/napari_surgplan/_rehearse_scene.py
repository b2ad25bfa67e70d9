"""The rehearsal in the 3D views: the two parts, what goes along, the vessel that comes next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_surgplan._layers import shaded, to_world
from napari_surgplan._rehearser import Rehearser
from napari_surgplan._solids import Solid, Solids

PARTS = ("remnant", "specimen")
"""Keys of both parts among the surfaces."""
COLOURS = {"remnant": (0.72, 0.36, 0.31), "specimen": (0.93, 0.66, 0.38)}
OPACITIES = {"remnant": 0.85, "specimen": 0.8}
LOST_COLOURS = {"portal": (0.33, 0.30, 0.55), "hepatic": (0.28, 0.42, 0.62)}
"""Without supply, and congested."""

Colours = npt.NDArray[np.float32]


class RehearseScene:
    """Keeps what the 3D views show equal to the rehearser.

    Parameters
    ----------
    rehearser
        What is played.
    """

    def __init__(self, rehearser: Rehearser) -> None:
        self.rehearser = rehearser
        self._moved = False
        rehearser.stage_changed.connect(self._set_stage)
        rehearser.moved.connect(self._move)
        rehearser.clamps_changed.connect(self._paint)

    @property
    def solids(self) -> Solids | None:
        """Where it is shown; None where nothing is."""
        shown = self.rehearser.session.shown
        return None if shown is None else shown.solids

    def follow(self, views: tuple[Any, ...]) -> None:
        """Turn the cameras of 3D views to where the cut is being made."""
        view = self.rehearser.view
        if view is None:
            return
        for each in views:
            if each.dims.ndisplay == 3:
                camera = each.scene.camera
                camera.center = tuple(float(v) for v in to_world(view.point_mm))
                camera.set_view_direction(
                    view_direction=tuple(float(v) for v in to_world(view.direction)),
                    up_direction=tuple(float(v) for v in to_world(view.up)),
                )

    def _set_stage(self) -> None:
        parts, shown = self.rehearser.parts(), self.rehearser.session.shown
        if shown is None:
            return
        shown.put_liver_away(away=parts is not None)
        if parts is None:
            for name in PARTS:
                shown.solids.drop(name)
            shown.solids.set_mark(None)
            self._put_back(shown.solids)
            return
        for part, name in zip(parts, PARTS, strict=True):
            solid = Solid(
                points=to_world(part.points).astype(np.float32),
                triangles=part.triangles,
                colours=shaded(part, self._tint(name, len(part.points))),
                opacity=OPACITIES[name],
            )
            shown.solids.put(name, solid)
        self._move()

    def _move(self) -> None:
        parts, solids = self.rehearser.parts(), self.solids
        if parts is None or solids is None or solids.get("specimen") is None:
            return
        solids.change(
            "specimen",
            points=to_world(parts[1].points).astype(np.float32),
            triangles=parts[1].triangles,
        )
        self._carry(solids)
        vessel = self.rehearser.next_vessel
        solids.set_mark(None if vessel is None else to_world(vessel.vessel.point_mm))

    def _carry(self, solids: Solids) -> None:
        self._moved = True
        for surface in self.rehearser.session.surfaces:
            points = self.rehearser.carried_points(surface.segment.label)
            if points is not None and solids.get(surface.segment.label) is not None:
                solids.change(
                    surface.segment.label,
                    points=to_world(points).astype(np.float32),
                    triangles=self.rehearser.whole_triangles(surface),
                )

    def _put_back(self, solids: Solids) -> None:
        if not self._moved:
            return
        self._moved = False
        for surface in self.rehearser.session.surfaces:
            if solids.get(surface.segment.label) is not None:
                solids.change(
                    surface.segment.label,
                    points=to_world(surface.points).astype(np.float32),
                    triangles=surface.triangles,
                )

    def _paint(self) -> None:
        parts, solids = self.rehearser.parts(), self.solids
        if parts is None or solids is None:
            return
        for part, name in zip(parts, PARTS, strict=True):
            solid = solids.get(name)
            if solid is not None:
                colours = shaded(part, self._tint(name, len(part.points)))
                solids.put(name, replace(solid, colours=colours))

    def _tint(self, name: str, count: int) -> Colours:
        """Colours ``(n, 3)`` of a part's points: its own, or that of what it has lost."""
        tint = np.tile(np.array(COLOURS[name], dtype=np.float32), (count, 1))
        for system, lost in self.rehearser.lost().items():
            mine = lost[:count] if name == "remnant" else lost[len(lost) - count :]
            tint[mine] = LOST_COLOURS[system]
        return tint
