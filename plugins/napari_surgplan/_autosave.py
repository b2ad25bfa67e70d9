"""Every change goes into the case folder at once, on a thread of its own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from platformdirs import user_data_path

from napari_surgplan._follow import TRIANGLES
from napari_surgplan._newest import quick_turns
from napari_surgplan._state import State
from napari_surgplan._turns import anything_waits
from surgplan.errors import SurgplanError
from surgplan.io import (
    Case,
    atomic_file,
    write_label_map,
    write_scalar_map,
    write_scene,
    write_surface,
    write_volume,
)
from surgplan.planning import plan_to_json, plan_to_mrk_json

Tell = Callable[[str], None]
Rest = Callable[[], None]

SURFACES_WAIT_S = 4.0
_LOOK_S = 0.02


def autosave_folder() -> Path:
    """Where scans are kept that no case folder was chosen for."""
    return user_data_path("surgplan", appauthor=False) / "autosave"


@dataclass(eq=False)
class _Target:
    """A case, what already stands in it, and the scan that it is made of."""

    case: Case | None = None
    saved: State | None = None
    source: Path | None = None


class Autosave:
    """Keeps a case folder equal to the state last given; older ones not yet written are skipped.

    Parameters
    ----------
    tell
        Called with a sentence when a state could not be saved; from another thread.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="surgplan-autosave")
        self._lock = Lock()
        self._target = _Target()
        self._wanted: dict[_Target, State] = {}
        self._last: Future[None] | None = None
        self._closed = False
        self._awaited = False

    @property
    def case(self) -> Case | None:
        """The folder; None until there is one."""
        return self._target.case

    def begin(self, case: Case | None, saved: State | None, source: Path | None) -> None:
        """Turn to another case; what was given for the one before is still saved there.

        Parameters
        ----------
        case
            The folder; None makes one in `autosave_folder` with the first state.
        saved
            What already stands in it.
        source
            The scan it is made of.
        """
        self._target = _Target(case=case, saved=saved, source=source)

    def submit(self, state: State) -> None:
        """Save this state soon."""
        if self._closed:
            return
        target = self._target
        with self._lock:
            waiting = target in self._wanted
            self._wanted[target] = state
        if not waiting:
            self._last = self._pool.submit(self._save, target)

    @property
    def busy(self) -> bool:
        """Whether a state is being written."""
        return self._last is not None and not self._last.done()

    def wait(self) -> None:
        """Return when the state last given is on the disk, or was refused."""
        if self._last is None:
            return
        self._awaited = True
        try:
            self._last.result()
        finally:
            self._awaited = False

    def close(self) -> None:
        """Save what is left and end the thread; nothing is saved after that."""
        self._closed = True
        self._pool.shutdown(wait=True)

    def _save(self, target: _Target) -> None:
        with self._lock:
            state = self._wanted.pop(target)
        if state.volume is None:
            return
        try:
            with quick_turns():
                if target.case is None:
                    target.case = _new_case(target.source)
                rest = partial(self._rest, target)
                save(target.case, state, before=target.saved, rest=rest)
        except (SurgplanError, OSError) as e:
            self._tell(f"Not saved: {e}. Export the case to another folder to keep your work.")
        else:
            target.saved = state

    def _rest(self, target: _Target) -> None:
        """Let the window show what it has to show, which writing surfaces would make twice as slow.

        Not for long, and not while somebody waits or has done something else meanwhile.
        """
        end = time.monotonic() + SURFACES_WAIT_S
        while anything_waits() and time.monotonic() < end:
            if self._awaited or self._closed or target in self._wanted:
                return
            time.sleep(_LOOK_S)


def _new_case(source: Path | None) -> Case:
    stem = re.sub(r"[^A-Za-z0-9]+", "-", source.name.split(".")[0]) if source else "scan"
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-%f")
    inputs = {"scan": source} if source else {}
    return Case.create(autosave_folder() / f"{stamp}-{stem}", inputs=inputs)


def save(case: Case, state: State, *, before: State | None, rest: Rest = lambda: None) -> None:
    """Write what differs from the state before into a case, each stage in one step.

    Surfaces come last: they can be built anew from the labels, and `rest` may wait before them.

    Raises
    ------
    CorruptFileError
        If a file of the case was changed by another program.
    OutputError
        If the folder cannot be written.
    """
    if state.volume is not None and (before is None or before.volume is not state.volume):
        _save_scan(case, state)
    if state.label_map is None:
        return
    others = before is None or before.label_map is not state.label_map
    if others:
        _save_labels(case, state)
    if others or (before is not None and before.plans is not state.plans):
        _save_plans(case, state)
    if others:
        rest()
        _save_surfaces(case, state)


def _settings(case: Case, stage: str, default: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those that the stage was first done with, so that `surgplan run` keeps what was edited."""
    settings = case.manifest["stages"].get(stage, {}).get("settings")
    return default if settings is None else dict(settings)


def _save_scan(case: Case, state: State) -> None:
    volume = state.volume
    if volume is None:
        return
    fingerprint = volume.fingerprint()
    with case.stage("image", settings={"fingerprint": fingerprint}) as stage:
        write_volume(volume, stage.path(case.image_path.name))
        stage.facts["fingerprint"] = fingerprint


def _save_labels(case: Case, state: State) -> None:
    label_map = state.label_map
    if label_map is None:
        return
    settings = _settings(case, "labels", {"source": "napari"})
    with case.stage("labels", settings=settings, needs=(case.image_path.name,)) as stage:
        write_label_map(label_map, stage.path(case.labels_path.name))
        write_label_map(label_map, stage.path("labels.seg.nrrd"))
        if state.confidence is not None:
            path = stage.path(case.confidence_path.name)
            write_scalar_map(state.confidence, label_map.geometry, path, what="confidence")
        stage.facts.update(json.loads(json.dumps(dict(state.provenance))))


def _save_surfaces(case: Case, state: State) -> None:
    settings = _settings(case, "surfaces", {"triangles": TRIANGLES})
    with case.stage("surfaces", settings=settings, needs=(case.labels_path.name,)) as stage:
        labels: dict[str, int] = {}
        for surface in state.surfaces:
            segment = surface.segment
            name = re.sub(r"[^a-z0-9]+", "_", segment.name.lower()).strip("_")
            path = f"{case.surfaces_path.name}/{segment.label:02d}_{name}.stl"
            write_surface(surface, stage.path(path))
            labels[path] = segment.label
        if state.surfaces:
            write_scene(state.surfaces, stage.path(case.scene_path.name))
        stage.facts["labels"] = labels


def _save_plans(case: Case, state: State) -> None:
    settings = _settings(case, "plans", {})
    needs = (case.image_path.name, case.labels_path.name)
    with case.stage("plans", settings=settings, needs=needs) as stage:
        for plan in state.plans:
            path = stage.path(f"{case.plans_path.name}/{plan.name}.json")
            texts = {
                path: plan_to_json(plan),
                path.with_suffix(".mrk.json"): plan_to_mrk_json(plan),
            }
            for target, text in texts.items():
                with atomic_file(target) as temporary:
                    temporary.write_text(text, encoding="utf-8", newline="\n")
        stage.facts["plans"] = [plan.name for plan in state.plans]
        stage.facts["current"] = state.current
