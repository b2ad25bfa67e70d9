"""Reading whatever a user drops on the window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_surgplan._follow import WHOLE_LIVER, Progress, follow, silent, surfaces_after
from napari_surgplan._layers import ready_to_show
from napari_surgplan._state import State
from surgplan.errors import (
    GeometryMismatchError,
    NothingToDoError,
    ScanMismatchError,
    SurgplanError,
)
from surgplan.io import Case, read_label_map, read_surface, read_volume
from surgplan.mesh import Surface
from surgplan.planning import Patient, Plan, assess, plan_from_json, resection_from_dict
from surgplan.volume import LIVER, LabelMap, Modality, Volume, reorient

SAME_WITHIN_MM = 0.05
LABEL_SUFFIXES = (".seg.nrrd", ".seg.nhdr")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was read.

    Attributes
    ----------
    state
        To go on with.
    case
        The folder it came from, None for a file.
    saved
        What of it stands in the case already.
    source
        The scan file or folder.
    scan_fingerprint
        `Volume.fingerprint`.
    new_scan
        Whether it takes the place of the scan at hand; labels of that scan do not.
    notes
        Sentences for the user.
    """

    state: State
    case: Case | None = None
    saved: State | None = None
    source: Path | None = None
    scan_fingerprint: str | None = None
    new_scan: bool = True
    notes: tuple[str, ...] = ()


def is_case(path: Path | str) -> bool:
    """Whether a path is a case folder."""
    return (Path(path) / "case.json").is_file()


def is_segmentation(path: Path | str) -> bool:
    """Whether the name says that a file holds structures, not a scan."""
    name = Path(path).name.lower()
    return name.endswith(LABEL_SUFFIXES) or (
        "label" in name and name.endswith((".nii", ".nii.gz", ".nrrd", ".mha"))
    )


def load(
    path: Path | str,
    now: State | None = None,
    *,
    modality: Modality | None = None,
    progress: Progress = silent,
) -> Loaded:
    """Read a case folder, a scan, or a segmentation of the scan at hand.

    Parameters
    ----------
    path
        Case folder; DICOM folder or zip, NIfTI, NRRD, MHA; ``.seg.nrrd`` or a label file.
    now
        What is open, for a segmentation to belong to.
    modality
        What the scan is, where its file does not say; else it is taken for CT if its air is.
    progress
        Called with the fraction done and a few words.

    Raises
    ------
    NothingToDoError
        If there is nothing to read, or a segmentation without a scan.
    GeometryMismatchError
        If a segmentation lies on another grid than the scan.
    InputRefusedError
        If reading on could be silently wrong.
    """
    loaded = _loaded(Path(path), now, modality, progress)
    ready_to_show(loaded.state.volume, loaded.state.label_map)
    return loaded


def _loaded(path: Path, now: State | None, modality: Modality | None, progress: Progress) -> Loaded:
    if is_case(path):
        return _load_case(Case.open(path), progress)
    if is_segmentation(path):
        return _load_labels(path, now or State(), progress)
    progress(0.0, f"reading {path.name}")
    volume = read_volume(path, modality=modality)
    progress(0.9, "fingerprint")
    fingerprint = volume.fingerprint()
    return Loaded(state=State(volume=volume), source=path, scan_fingerprint=fingerprint)


def _load_labels(path: Path, now: State, progress: Progress) -> Loaded:
    if now.volume is None:
        msg = f"{path.name} holds structures of a scan; open the scan first, then this file"
        raise NothingToDoError(msg)
    progress(0.0, f"reading {path.name}")
    label_map = on_grid_of(now.volume, read_label_map(path), path.name)
    state, notes = follow(now, label_map, progress=lambda f, w: progress(0.2 + 0.8 * f, w))
    provenance = {"source": "given", "file": path.name}
    return Loaded(
        state=replace(state, confidence=None, provenance=provenance), new_scan=False, notes=notes
    )


def on_grid_of(volume: Volume, label_map: LabelMap, name: str) -> LabelMap:
    """Labels with their axes turned to those of the scan.

    Raises `GeometryMismatchError` if they lie on another grid, `NothingToDoError` if there are
    none.
    """
    if not label_map.labels_present():
        msg = f"no voxel of {name} is labelled; give the segmentation of this scan"
        raise NothingToDoError(msg)
    turned = reorient(label_map, volume.geometry.axis_codes)
    if not turned.geometry.matches(volume.geometry, atol_mm=SAME_WITHIN_MM):
        msg = (
            f"the labels {name} lie on another grid {label_map.geometry.shape} than the scan "
            f"{volume.geometry.shape}; give those of this scan"
        )
        raise GeometryMismatchError(msg)
    return replace(turned, geometry=volume.geometry)


def _load_case(case: Case, progress: Progress) -> Loaded:
    """A case as it was left, also by a program that was killed while it saved."""
    progress(0.0, "reading the scan")
    volume = case.read_image()
    bare = State(volume=volume)
    fingerprint = str(case.facts("image").get("fingerprint") or volume.fingerprint())
    common: dict[str, Any] = {"case": case, "scan_fingerprint": fingerprint}
    if not case.labels_path.is_file():
        return Loaded(state=bare, saved=bare, **common)
    progress(0.3, "reading structures")
    label_map = case.read_labels()
    confidence = case.read_confidence()
    state = replace(
        bare,
        label_map=label_map,
        confidence=None if confidence is None else confidence[0],
        provenance=case.facts("labels"),
    )
    surfaces = _stored_surfaces(case, label_map)
    whole = surfaces is not None
    if surfaces is None:
        progress(0.5, "building surfaces")
        surfaces = surfaces_after(bare, label_map)
    state = replace(state, surfaces=surfaces)
    progress(0.8, "reading plans")
    plans, notes = _stored_plans(case, label_map)
    current = case.facts("plans").get("current") or (plans[0].name if plans else None)
    state = replace(state, plans=plans, current=current)
    saved = state if whole and not notes else None
    return Loaded(state=state, saved=saved, notes=notes, **common)


def _stored_surfaces(case: Case, label_map: LabelMap) -> tuple[Surface, ...] | None:
    """Those in the case, None if they are not of these labels."""
    stages: Mapping[str, Any] = case.manifest["stages"]
    labels, surfaces = stages.get("labels", {}), stages.get("surfaces", {})
    name = case.labels_path.name
    made_of = surfaces.get("needs", {}).get(name)
    if surfaces.get("state") != "done" or made_of != labels.get("outputs", {}).get(name):
        return None
    segments = {s.label: WHOLE_LIVER if s.code == LIVER.code else s for s in label_map.segments}
    written: Mapping[str, int] = surfaces["facts"].get("labels", {})
    return tuple(read_surface(case.folder / p, segments[n]) for p, n in written.items())


def _stored_plans(case: Case, label_map: LabelMap) -> tuple[tuple[Plan, ...], tuple[str, ...]]:
    """Plans in the case, and a sentence for each that cannot be read on these labels."""
    plans: list[Plan] = []
    notes: list[str] = []
    order: list[str] = case.facts("plans").get("plans", [])
    paths = sorted(
        case.plan_paths(), key=lambda p: order.index(p.stem) if p.stem in order else len(order)
    )
    for path in paths:
        try:
            plans.append(_stored_plan(path.read_text(encoding="utf-8"), label_map))
        except SurgplanError as e:
            notes.append(f"Plan {path.stem} was left aside: {e}")
    return tuple(plans), tuple(notes)


def _stored_plan(text: str, label_map: LabelMap) -> Plan:
    """A plan of a case; judged anew where labels were saved after it, as when power failed."""
    try:
        return plan_from_json(text, label_map)
    except ScanMismatchError:
        record = json.loads(text)
        resection = resection_from_dict(record["resection"], label_map)
        was, patient = record["assessment"], record["assessment"]["patient"]
        return Plan(
            name=record["name"],
            resection=resection,
            assessment=assess(
                label_map,
                resection,
                margin_mm=was["margin_mm"],
                condition=was["condition"],
                patient=None if patient is None else Patient(**patient),
            ),
            labels_fingerprint=label_map.fingerprint(),
            scan_fingerprint=record["scan_fingerprint"],
            why=record["why"],
        )
