"""A session in a viewer: scan, structures, where the model was unsure; surfaces in 3D."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Layer

from napari_surgplan._cross import Cross
from napari_surgplan._eyes import (
    OUTLINE,
    ROLE,
    SCAN,
    STRUCTURES,
    UNSURE,
    WARM,
    Eyes,
    is_empty,
    role_of,
    set_outline,
)
from napari_surgplan._layers import (
    LIVER_OPACITY,
    confidence_layer,
    image_layer,
    label_colours,
    labels_layer,
    solid_of,
)
from napari_surgplan._preferences import Preferences
from napari_surgplan._slices import quick
from napari_surgplan._solids import Solid, Solids
from napari_surgplan._tools import own_voxels, without_tools
from napari_surgplan._turns import Turns
from napari_surgplan._warm import drop
from surgplan.mesh import Surface
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    Segment,
)

if TYPE_CHECKING:
    from napari_surgplan._session import Session

NEEDED = "The case needs this layer; hide it with its eye, or open another scan."
Colours = dict[int | None, tuple[float, ...]]
SHOWN_FIRST = (
    LIVER, LIVER_TUMOUR, LIVER_CYST, PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, ARTERIES, BILIARY,
)  # fmt: skip
"""What a liver surgeon looks at; other organs would stand before it."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a structure is shown.

    Attributes
    ----------
    visible
        Whether it is.
    colour
        Red, green, blue, 0..255 each.
    opacity
        Of its surface, 0..1.
    """

    visible: bool = True
    colour: tuple[int, int, int]
    opacity: float = 1.0


class Shown:
    """Keeps the layers of a viewer equal to what a session holds.

    Parameters
    ----------
    session
        What to show.
    viewer
        Where; a napari viewer or a `ViewerModel`.
    """

    def __init__(self, session: Session, viewer: Any) -> None:
        self.session = session
        self.viewer = viewer
        self.eyes = Eyes(viewer)
        self.solids = Solids()
        self.cross = Cross(session, viewer, self.solids)
        self._looks: dict[int, Look] = {}
        self._surfaces: dict[int, Surface] = {}
        self._liver_away = False
        self._painted: Any = None
        self._colours: Colours = {}
        self._turns = Turns(viewer)
        self._outline = Preferences().outline
        self._clearing = False
        viewer.layers.events.removed.connect(self._removed)
        session.scan_changed.connect(self._show_scan)
        session.labels_changed.connect(self._show_labels)

    def layer(self, role: str) -> Any:
        """The layer of this role, None if there is none (any more)."""
        return next((x for x in self.viewer.layers if x.metadata.get(ROLE) == role), None)

    def surface_of(self, label: int) -> Solid | None:
        """The surface of a structure in 3D, None if there is none (any more)."""
        return self.solids.get(label)

    def put_liver_away(self, *, away: bool) -> None:
        """Leave the whole liver away, whatever its look: its parts take its place."""
        self._liver_away = away
        self._show_looks()

    def look(self, segment: Segment) -> Look:
        """How a structure is shown."""
        standard = Look(
            visible=segment.code in {s.code for s in SHOWN_FIRST},
            colour=segment.colour,
            opacity=LIVER_OPACITY if segment.code == LIVER.code else 1.0,
        )
        return self._looks.get(segment.label, standard)

    def set_look(self, segment: Segment, **changes: Any) -> None:
        """Show a structure in another way: ``visible``, ``colour``, ``opacity``."""
        before = self.look(segment)
        after = self._looks[segment.label] = replace(before, **changes)
        if after.colour != before.colour:
            self._forget_surface(segment.label)
        self._show_surfaces()  # one that was never looked at is not there yet
        self._show_looks()

    def prefer(self, preferences: Preferences) -> None:
        """Take over colours and widths that the user prefers."""
        self._outline = preferences.outline
        self.cross.paint(preferences.crosshair)
        layer = self.layer(STRUCTURES)
        if layer is not None:
            layer.metadata[OUTLINE] = self._outline
            self.eyes.refresh(layer)

    def repaint(self) -> None:
        """Show the labels again as they are, whatever was painted over them."""
        layer, label_map = self.layer(STRUCTURES), self.session.label_map
        if layer is not None and label_map is not None:
            layer.data = np.array(labels_layer(label_map)[0])

    def show_unsure(self, *, visible: bool) -> None:
        """Show or hide where the model was unsure."""
        layer = self.layer(UNSURE)
        if layer is not None:
            self.eyes.set_open(layer, is_open=visible)

    def _show_scan(self) -> None:
        volume = self.session.volume
        own = [x for x in self.viewer.layers if ROLE in x.metadata]
        self._clearing = True
        for layer in [x for x in own if role_of(x) != WARM]:
            self.viewer.layers.remove(layer)
        self._clearing = False
        self._surfaces.clear()
        self.solids.clear()
        self._looks.clear()
        if volume is not None:
            self._turns.add(self._lay_out)
            self._turns.add(self._add_scan)
            for layer in [x for x in own if role_of(x) == WARM]:
                self._turns.add(partial(drop, self.viewer, layer))
            self._turns.add(self._look)

    def _lay_out(self) -> None:
        """Sliders for three axes: napari makes them with the first layer, and paints twice."""
        if is_empty(self.viewer):
            self.viewer.dims.ndim = 3

    def _add_scan(self) -> None:
        volume = self.session.volume
        if volume is not None and self.layer(SCAN) is None:
            self._add(image_layer(volume), SCAN, at=0)

    def _look(self) -> None:
        """At the middle of a scan where nobody looked at anything yet."""
        if self.session.volume is not None and self.session.focus_mm is None:
            self.viewer.reset_view(reset_camera_angle=False)
            self.session.focus(self.session.volume.geometry.centre_mm)

    def _removed(self, event: Any) -> None:
        """Somebody took a layer out of napari's list that the case cannot do without."""
        if role_of(event.value) in (SCAN, STRUCTURES) and not self._clearing:
            self._turns.add(self._bring_back)

    def _bring_back(self) -> None:
        lost = self.session.volume is not None and self.layer(SCAN) is None
        if lost:
            self._add_scan()
        if self.session.label_map is not None and self.layer(STRUCTURES) is None:
            lost = True
            self._follow_labels()
        if lost:
            self.session.message.emit(NEEDED)

    def close(self) -> None:
        """Let the viewer go."""
        self.viewer.layers.events.removed.disconnect(self._removed)
        self._turns.clear()

    def finish(self) -> None:
        """Show now what else would come in the next turns of the window."""
        self._turns.finish()

    def _show_labels(self) -> None:
        self._turns.add(self._follow_labels)

    def _follow_labels(self) -> None:
        label_map = self.session.label_map
        layer = self.layer(STRUCTURES)
        if label_map is None:
            for old in [x for x in self.viewer.layers if x.metadata.get(ROLE, SCAN) != SCAN]:
                self.viewer.layers.remove(old)
            self._surfaces.clear()
            self.solids.clear()
            return
        first = layer is None
        data, settings, kind = labels_layer(label_map)
        if first:
            settings["metadata"][OUTLINE] = self._outline
            settings["colormap"] = self._colours = self._wanted_colours(label_map)
            layer = self._add((data, settings, kind), STRUCTURES, at=1)
            layer.events.mode.connect(partial(own_voxels, layer))
        elif self._painted is not label_map:
            layer.data = np.array(data) if layer.data.flags.writeable else data
            layer.metadata.update(settings["metadata"])
        self._painted = label_map
        self._turns.add(self._show_unsure)
        self._show_surfaces()
        self._show_looks()
        if first:
            self._turns.add(self.look_at_middle)

    def look_at_middle(self) -> None:
        """Focus on the middle of the tumours, or else of the liver."""
        surfaces = {s.segment.code: s for s in self.session.surfaces}
        surface = surfaces.get(LIVER_TUMOUR.code) or surfaces.get(LIVER.code)
        if surface is not None:
            self.session.focus(surface.points.mean(axis=0))

    def _show_unsure(self) -> None:
        label_map, confidence = self.session.label_map, self.session.confidence
        old = self.layer(UNSURE)
        visible = old is not None and self.eyes.is_open(old)
        if old is not None:
            self.viewer.layers.remove(old)
        if label_map is not None and confidence is not None:
            data, settings, kind = confidence_layer(confidence, label_map)
            self._add((data, {**settings, "visible": visible}, kind), UNSURE, at=2)

    def _show_surfaces(self) -> None:
        wanted = {s.segment.label: s for s in self.session.surfaces}
        for label, surface in list(self._surfaces.items()):
            if wanted.get(label) is not surface:
                self._forget_surface(label)
        for surface in sorted(wanted.values(), key=lambda s: s.segment.code == LIVER.code):
            if self._lacks(surface):
                self._turns.add(partial(self._add_surface, surface))

    def _lacks(self, surface: Surface) -> bool:
        """Whether a surface is wanted and is not there."""
        wanted = surface in self.session.surfaces and self.look(surface.segment).visible
        return wanted and self.surface_of(surface.segment.label) is None

    def _add_surface(self, surface: Surface) -> None:
        if not self._lacks(surface):
            return
        look = self.look(surface.segment)
        segment = replace(surface.segment, colour=look.colour)
        solid = solid_of(replace(surface, segment=segment))
        self._surfaces[surface.segment.label] = surface
        self.solids.put(surface.segment.label, replace(solid, opacity=look.opacity))
        self._show_looks()

    def _forget_surface(self, label: int) -> None:
        self._surfaces.pop(label, None)
        self.solids.drop(label)

    def _show_looks(self) -> None:
        """Colours, eyes and opacities."""
        label_map = self.session.label_map
        if label_map is None:
            return
        layer, colours = self.layer(STRUCTURES), self._wanted_colours(label_map)
        if layer is not None and colours != self._colours:
            layer.colormap = self._colours = colours
        for label, surface in self._surfaces.items():
            look = self.look(surface.segment)
            away = self._liver_away and label == LIVER.label
            self.solids.change(label, opacity=look.opacity, visible=look.visible and not away)

    def _wanted_colours(self, label_map: LabelMap) -> Colours:
        looks = {s.label: self.look(s) for s in label_map.segments}
        return label_colours({n: (*k.colour, 255 if k.visible else 0) for n, k in looks.items()})

    def _add(self, content: tuple[Any, dict[str, Any], str], role: str, at: int) -> Any:
        data, settings, kind = content
        settings["metadata"] = {**settings.get("metadata", {}), ROLE: role}
        selection = self.viewer.layers.selection
        before = selection.active
        layer = without_tools(Layer.create(data, settings, kind))
        set_outline(layer, layer, self.viewer.dims.ndisplay)
        self.viewer.layers.insert(at, layer)
        quick(layer, listed=True)
        # The scan stays chosen: napari tells its value under the pointer, and no key edits labels.
        kept = before is not None and role_of(before) != WARM
        selection.active = before if kept else self.layer(SCAN) or layer
        return layer
