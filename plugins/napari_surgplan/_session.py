"""The case at work: what it holds, what changes it, and who is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan._autosave import Autosave
from napari_surgplan._follow import Progress, follow, silent
from napari_surgplan._history import History
from napari_surgplan._load import Loaded, load
from napari_surgplan._preferences import Preferences
from napari_surgplan._shown import Shown
from napari_surgplan._state import State
from surgplan.errors import NothingToDoError, ScanMismatchError
from surgplan.io import Case
from surgplan.mesh import Surface
from surgplan.planning import Plan
from surgplan.volume import LabelMap, Volume


class Session:
    """One scan with its structures and plans, shown in a viewer and saved after every change.

    All methods are quick, but for `open`, which reads files; heavy work is done by the engine on
    a worker (see `napari_surgplan._work`), which hands its result to one of them.

    Parameters
    ----------
    viewer
        A napari viewer, or a `ViewerModel` where there is no window; None shows nothing.

    Attributes
    ----------
    scan_changed
        Another scan was opened.
    labels_changed
        Structures, surfaces or confidence changed.
    plans_changed
        Plans, or the one at work, changed.
    focus_changed
        With the point looked at, LPS ``(x, y, z)`` in millimetres.
    message
        With a sentence for the user; may come from another thread.
    failed
        With a sentence on what went wrong and what to do.
    job_started
        With the job, when work began on a worker.
    """

    scan_changed = Signal()
    labels_changed = Signal()
    plans_changed = Signal()
    focus_changed = Signal(object)
    message = Signal(str)
    failed = Signal(str)
    job_started = Signal(object)

    def __init__(self, viewer: Any = None) -> None:
        self.viewer = viewer
        self.state = State()
        self.history = History()
        self.autosave = Autosave(self.message.emit)
        self.scan_fingerprint: str | None = None
        self.source: Path | None = None
        self.focus_mm: npt.NDArray[np.float64] | None = None
        self.preferences = Preferences.read()
        self.shown = Shown(self, viewer) if viewer is not None else None

    @property
    def case(self) -> Case | None:
        """The folder that changes are saved in; None until there is one."""
        return self.autosave.case

    @property
    def volume(self) -> Volume | None:
        """The scan."""
        return self.state.volume

    @property
    def label_map(self) -> LabelMap | None:
        """Its structures."""
        return self.state.label_map

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """Of the structures, the whole liver first."""
        return self.state.surfaces

    @property
    def confidence(self) -> npt.NDArray[np.float32] | None:
        """``(slice, row, column)``, 0..1, on the grid of the scan; None if no model was asked."""
        return self.state.confidence

    @property
    def plans(self) -> tuple[Plan, ...]:
        """In the order in which they were made."""
        return self.state.plans

    @property
    def current_plan(self) -> Plan | None:
        """The plan at work."""
        return self.state.plan(self.state.current)

    def open(self, path: Path | str, *, progress: Progress = silent) -> None:
        """Read a scan, a segmentation of the scan at hand, or a case folder, and go on with it.

        Raises as `napari_surgplan._load.load`.
        """
        self.take(load(path, self.state, progress=progress))

    def take(self, loaded: Loaded) -> None:
        """Go on with what was read."""
        kept = self.case if loaded.new_scan and self.label_map is not None else None
        if loaded.new_scan:
            self.history.clear()
            self.autosave.begin(loaded.case, loaded.saved, loaded.source)
            self.scan_fingerprint = loaded.scan_fingerprint
            self.source = loaded.source
            self.focus_mm = None
        else:
            self.history.push(self.state)
        self._enter(loaded.state)
        if kept is not None and (loaded.case is None or kept.folder != loaded.case.folder):
            self.message.emit(f"The case before is kept in {kept.folder}.")
        for sentence in loaded.notes:
            self.message.emit(sentence)

    def set_labels(
        self, label_map: LabelMap, *, surfaces: tuple[Surface, ...] | None = None, **others: Any
    ) -> None:
        """Other structures from now on.

        Parameters
        ----------
        label_map
            On the grid of the scan.
        surfaces
            Of its structures; None builds them, and judges the plans, here and now.
        others
            Fields of the state that change with it: ``confidence``, ``provenance``, ``plans``,
            ``current``.

        Raises
        ------
        NothingToDoError
            If no scan is open.
        ScanMismatchError
            If the labels lie on another grid.
        """
        volume = self._need_scan()
        if not label_map.geometry.matches(volume.geometry):
            msg = (
                f"labels must lie on the grid of the scan {volume.geometry.shape}, got "
                f"{label_map.geometry.shape}; open the scan that they were made on"
            )
            raise ScanMismatchError(msg)
        notes: tuple[str, ...] = ()
        if surfaces is None:
            state, notes = follow(self.state, label_map)
        else:
            state = replace(self.state, label_map=label_map, surfaces=surfaces)
        self.history.push(self.state)
        self._enter(replace(state, **others))
        for sentence in notes:
            self.message.emit(sentence)

    def put_plan(self, plan: Plan) -> None:
        """Add a plan, or change the one of that name, and work on it.

        Raises `ScanMismatchError` if it was made on other labels, `NothingToDoError` without any.
        """
        if plan.labels_fingerprint != self._need_labels().fingerprint():
            msg = f"plan {plan.name!r} was made on other labels; plan again on these"
            raise ScanMismatchError(msg)
        if plan.scan_fingerprint is None and self.scan_fingerprint is not None:
            plan = plan.on_scan(self.scan_fingerprint)
        self._change(self.state.with_plan(plan))

    def remove_plan(self, name: str) -> None:
        """Take a plan away; `undo` brings it back."""
        self._change(self.state.without_plan(name))

    def choose_plan(self, name: str) -> None:
        """Work on another plan. No step to undo."""
        if self.state.plan(name) is not None and name != self.state.current:
            self._enter(replace(self.state, current=name))

    def undo(self) -> bool:
        """One step back; whether there was one."""
        return self._go(self.history.back(self.state))

    def redo(self) -> bool:
        """One step forward again; whether there was one."""
        return self._go(self.history.forward(self.state))

    def focus(self, point_mm: npt.ArrayLike) -> None:
        """Look at a point, LPS ``(x, y, z)`` in millimetres, in all views."""
        point = np.array(point_mm, dtype=np.float64).reshape(3)
        if self.focus_mm is None or not np.array_equal(self.focus_mm, point):
            self.focus_mm = point
            self.focus_changed.emit(point)

    def close(self) -> None:
        """Save what is left to save, and let the viewer go."""
        if self.shown is not None:
            self.shown.close()
        self.autosave.close()

    def _change(self, state: State) -> None:
        self.history.push(self.state)
        self._enter(state)

    def _go(self, state: State | None) -> bool:
        if state is not None:
            self._enter(state)
        return state is not None

    def _enter(self, state: State) -> None:
        """Make a state the present one, save it, and tell who listens."""
        before, self.state = self.state, state
        self.autosave.submit(state)
        if before.volume is not state.volume:
            self.scan_changed.emit()
        if (
            before.label_map is not state.label_map
            or before.surfaces is not state.surfaces
            or before.confidence is not state.confidence
        ):
            self.labels_changed.emit()
        if before.plans is not state.plans or before.current != state.current:
            self.plans_changed.emit()

    def _need_scan(self) -> Volume:
        if self.volume is None:
            msg = "no scan is open; open one in the tab Open"
            raise NothingToDoError(msg)
        return self.volume

    def _need_labels(self) -> LabelMap:
        if self.label_map is None:
            msg = "the scan has no structures yet; find them in the tab Anatomy"
            raise NothingToDoError(msg)
        return self.label_map
