"""The rehearsal in the 3D views: the two parts, what goes along, the vessel that comes next."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_surgplan._eyes import PART, ROLE
from napari_surgplan._layers import AXES, LIGHT, SHADOW, to_world
from napari_surgplan._rehearser import Rehearser
from surgplan.mesh import Surface
from surgplan.volume import LIVER

REMNANT_COLOUR = (0.72, 0.36, 0.31)
SPECIMEN_COLOUR = (0.93, 0.66, 0.38)
LOST_COLOURS = {"portal": (0.33, 0.30, 0.55), "hepatic": (0.28, 0.42, 0.62)}
"""Without supply, and congested."""
_MARK_MM = 6.0
_NAME = "surgplan_part"

Colours = npt.NDArray[np.float32]


class RehearseLayers:
    """Keeps the layers of a rehearsal equal to the rehearser.

    Parameters
    ----------
    rehearser
        What is played.
    viewer
        A napari viewer or a `ViewerModel`.
    """

    def __init__(self, rehearser: Rehearser, viewer: Any) -> None:
        self.rehearser = rehearser
        self.viewer = viewer
        self._hidden = False
        rehearser.stage_changed.connect(self._set_stage)
        rehearser.moved.connect(self._move)
        rehearser.clamps_changed.connect(self._paint)

    def layer(self, name: str) -> Any:
        """A layer of the rehearsal: ``'remnant'``, ``'specimen'`` or ``'next vessel'``."""
        return next((x for x in self.viewer.layers if x.metadata.get(_NAME) == name), None)

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
        for name in ("remnant", "specimen", "next vessel"):
            layer = self.layer(name)
            if layer is not None:
                self.viewer.layers.remove(layer)
        parts = self.rehearser.parts()
        self._show_whole(shown=parts is None)
        if parts is None:
            self._put_back()
            return
        for part, name in zip(parts, ("remnant", "specimen"), strict=True):
            colours = shaded(part, self._tint(name, len(part.points)))
            self._add(
                "surface",
                (to_world(part.points).astype(np.float32), part.triangles),
                name,
                vertex_colors=colours,
                shading="none",
                opacity=0.85 if name == "remnant" else 0.8,
            )
        self._move()

    def _move(self) -> None:
        parts = self.rehearser.parts()
        layer = self.layer("specimen")
        if parts is None or layer is None:
            return
        specimen = parts[1]
        self._shift(layer, (to_world(specimen.points).astype(np.float32), specimen.triangles))
        self._carry()
        self._mark()

    def _carry(self) -> None:
        shown = self.rehearser.session.shown
        for surface in self.rehearser.session.surfaces:
            points = self.rehearser.carried_points(surface.segment.label)
            layer = None if shown is None else shown.surface_of(surface.segment.label)
            if points is not None and layer is not None:
                kept = self.rehearser.whole_triangles(surface)
                self._shift(layer, (to_world(points).astype(np.float32), kept))

    def _put_back(self) -> None:
        shown = self.rehearser.session.shown
        for surface in self.rehearser.session.surfaces:
            layer = None if shown is None else shown.surface_of(surface.segment.label)
            at_rest = to_world(surface.points).astype(np.float32)
            moved = layer is not None and len(layer.faces) != len(surface.triangles)
            if layer is not None and (moved or not np.array_equal(layer.vertices, at_rest)):
                self._shift(layer, (at_rest, surface.triangles))

    def _shift(self, layer: Any, data: Any) -> None:
        shown = self.rehearser.session.shown
        if shown is not None:
            shown.eyes.move(layer, data)

    def _mark(self) -> None:
        vessel, layer = self.rehearser.next_vessel, self.layer("next vessel")
        if vessel is None:
            if layer is not None:
                self.viewer.layers.remove(layer)
            return
        point = to_world(np.array([vessel.vessel.point_mm]))
        if layer is not None:
            self._shift(layer, point)
            return
        self._add(
            "points",
            point,
            "next vessel",
            size=_MARK_MM,
            face_color="#ffe14d",
            border_color="black",
            shading="spherical",
            canvas_size_limits=(14, 60),
            blending="translucent_no_depth",
        )

    def _paint(self) -> None:
        parts = self.rehearser.parts()
        if parts is None:
            return
        for part, name in zip(parts, ("remnant", "specimen"), strict=True):
            layer = self.layer(name)
            if layer is not None:
                layer.vertex_colors = shaded(part, self._tint(name, len(part.points)))

    def _tint(self, name: str, count: int) -> Colours:
        """Colours ``(n, 3)`` of a part's points: its own, or that of what it has lost."""
        own = REMNANT_COLOUR if name == "remnant" else SPECIMEN_COLOUR
        tint = np.tile(np.array(own, dtype=np.float32), (count, 1))
        for system, lost in self.rehearser.lost().items():
            mine = lost[:count] if name == "remnant" else lost[len(lost) - count :]
            tint[mine] = LOST_COLOURS[system]
        return tint

    def _show_whole(self, *, shown: bool) -> None:
        """The whole liver makes room for the parts, and comes back."""
        owner = self.rehearser.session.shown
        liver = None if owner is None else owner.surface_of(LIVER.label)
        if owner is not None and liver is not None and self._hidden is shown:
            self._hidden = not shown
            owner.eyes.set_open(liver, is_open=shown)

    def _add(self, kind: str, data: Any, name: str, **settings: Any) -> None:
        selected = set(self.viewer.layers.selection)
        metadata = {ROLE: PART, _NAME: name}
        getattr(self.viewer, f"add_{kind}")(data, name=name, metadata=metadata, **AXES, **settings)
        self.viewer.layers.selection = selected


def shaded(surface: Surface, tint: Colours) -> Colours:
    """Colours ``(n, 4)`` of a surface's points with light and shade painted on."""
    light = (1 + surface.normals @ LIGHT) / 2
    shade = SHADOW + (1 - SHADOW) * light[:, None] ** 1.5
    return np.column_stack([shade * tint, np.ones(len(tint))]).astype(np.float32)
