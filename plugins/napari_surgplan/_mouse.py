"""The mouse on the cut: handles and the line dragged, vessels and the liver clicked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_surgplan._cut_scene import HANDLE_MM, CutScene
from napari_surgplan._handles import Handle, moved, pulled
from napari_surgplan._layers import to_world
from napari_surgplan._pick import nearest_to_ray
from napari_surgplan._planner import Planner
from surgplan.errors import UsageError
from surgplan.planning import Resection

Points = npt.NDArray[np.float64]

_GRAB_PIXELS = 9.0
_LINE_PIXELS = 6.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Pointer:
    """Where the mouse points, in the patient.

    Attributes
    ----------
    point_mm
        ``(3,)`` LPS: on the slice, or anywhere along the line of sight.
    direction
        ``(3,)`` LPS unit vector away from the eye; None on slices.
    pixel_mm
        Size of a pixel there.
    through
        On slices the axis of LPS across them, 0, 1 or 2 for x, y, z.
    """

    point_mm: Points
    direction: Points | None
    pixel_mm: float
    through: int = 2

    @classmethod
    def of(cls, viewer: Any, event: Any) -> Pointer:
        """From an event of napari."""
        solid = len(event.dims_displayed) == 3
        hidden = sorted(set(range(3)) - set(event.dims_displayed))
        return cls(
            point_mm=to_world(np.asarray(event.position)[-3:]),
            direction=to_world(np.asarray(event.view_direction)[-3:]) if solid else None,
            pixel_mm=1.0 / max(float(viewer.scene.camera.zoom), 1e-6),
            through=2 - hidden[0] if hidden else 2,
        )


class Stroke(Protocol):
    """What is drawn while the mouse is pressed."""

    def go(self, pointer: Pointer) -> None:
        """The mouse moved there."""

    def lift(self) -> None:
        """The mouse was released."""


class CutMouse:
    """Drags and clicks of a viewer turned into changes of the cut.

    Parameters
    ----------
    planner, scene
        What is changed, and where its handles are.
    viewer
        Whose mouse.
    clicked
        Called with the pointer for a click that took hold of nothing; returns whether it was used.
    drawn
        Called with the pointer for a press that took hold of nothing; returns what is drawn from
        there, or None.
    begins
        Whether the next press begins another cut, so that this one cannot be taken hold of.
    """

    def __init__(
        self,
        planner: Planner,
        scene: CutScene,
        viewer: Any,
        clicked: Callable[[Pointer], bool] | None = None,
        drawn: Callable[[Pointer], Stroke | None] | None = None,
        begins: Callable[[], bool] = lambda: False,
    ) -> None:
        self.planner = planner
        self.scene = scene
        self.viewer = viewer
        self.clicked = clicked
        self.drawn = drawn
        self.begins = begins
        viewer.mouse_drag_callbacks.append(self.drag)

    def close(self) -> None:
        """Leave the view alone."""
        self.viewer.mouse_drag_callbacks.remove(self.drag)

    def drag(self, viewer: Any, event: Any) -> Iterator[None]:
        """What napari calls at a press, and goes on with at each move until the release."""
        pointer = Pointer.of(viewer, event)
        move = None if event.button != 1 or self.begins() else self._grip(pointer)
        if move is None:
            yield from self._click(viewer, event, pointer)
            return
        held = False
        with self._hand_on_cut(viewer):
            yield
            while event.type == "mouse_move":
                held |= self._move(move, Pointer.of(viewer, event))
                yield
            if held:
                self.planner.let_go()
                self.scene.refresh()

    @contextmanager
    def _hand_on_cut(self, viewer: Any) -> Iterator[None]:
        """While the hand is on the cut, the patient stays where it is."""
        camera = viewer.scene.camera
        before = camera.mouse_pan
        camera.mouse_pan = False
        self.scene.hold_in(viewer)
        try:
            yield
        finally:
            camera.mouse_pan = before
            self.scene.hold_in(None)

    def _click(self, viewer: Any, event: Any, pointer: Pointer) -> Iterator[None]:
        stroke = self.drawn(pointer) if self.drawn is not None and event.button == 1 else None
        dragged = False
        with self._hand_on_cut(viewer) if stroke is not None else nullcontext():
            yield
            while event.type == "mouse_move":
                dragged = True
                if stroke is not None:
                    stroke.go(Pointer.of(viewer, event))
                yield
            if dragged and stroke is not None:
                stroke.lift()
                self.scene.refresh()
        if not dragged and self.clicked is not None and event.button == 1:
            self.clicked(pointer)

    def _move(self, move: Callable[[Pointer], Resection | None], pointer: Pointer) -> bool:
        try:
            resection = move(pointer)
        except UsageError as e:  # it would fold over itself: the cut stays as it is
            self.planner.session.message.emit(str(e))
            return False
        if resection is not None:
            self.planner.hold(resection)
        return resection is not None

    def _grip(self, pointer: Pointer) -> Callable[[Pointer], Resection | None] | None:
        """What a drag that begins here changes; None if nothing is there to take hold of."""
        draft, label_map = self.planner.draft, self.planner.session.label_map
        if draft is None or label_map is None or not self.scene.shown:
            return None
        handle = self._handle_at(pointer)
        reach = self.scene.reach_mm(draft)
        cut = draft.resection
        if handle is not None:
            first = on_screen(pointer, handle.point_mm)
            return lambda now: moved(
                cut,
                handle,
                handle.point_mm + on_screen(now, handle.point_mm) - first,
                label_map,
                reach_mm=reach,
            )
        if pointer.direction is None and self._on_line(pointer):
            start = pointer.point_mm
            return lambda now: pulled(cut, start, now.point_mm - start)
        return None

    def _handle_at(self, pointer: Pointer) -> Handle | None:
        handles = self.scene.handles
        if not handles:
            return None
        points = np.array([h.point_mm for h in handles])
        off = points - pointer.point_mm
        if pointer.direction is not None:
            depth = off @ pointer.direction
            away = np.linalg.norm(off - depth[:, None] * pointer.direction, axis=1)
        else:
            depth = np.abs(off[:, pointer.through])
            away = np.linalg.norm(np.delete(off, pointer.through, axis=1), axis=1)
            away = np.where(depth <= HANDLE_MM, away, np.inf)
        near = np.flatnonzero(away <= max(HANDLE_MM / 2, _GRAB_PIXELS * pointer.pixel_mm))
        return handles[near[np.argmin(depth[near])]] if len(near) else None

    def _on_line(self, pointer: Pointer) -> bool:
        draft = self.planner.draft
        if draft is None or draft.sheet is None or draft.sheet.is_empty:
            return False
        through = np.eye(3)[pointer.through]
        near = np.abs(draft.sheet.points_mm @ through - pointer.point_mm @ through) < HANDLE_MM
        if not near.any():
            return False
        _, away = nearest_to_ray(draft.sheet.points_mm[near], pointer.point_mm, through)
        return away <= max(2.5, _LINE_PIXELS * pointer.pixel_mm)


def on_screen(pointer: Pointer, beside_mm: Points) -> Points:
    """The pointer at the depth of a point: moves follow the mouse in the plane of the screen."""
    off = pointer.point_mm - beside_mm
    away = pointer.direction if pointer.direction is not None else np.eye(3)[pointer.through]
    at: Points = pointer.point_mm - (off @ away) * away
    return at
