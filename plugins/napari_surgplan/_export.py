"""Files that leave the session; each call is engine work and runs on a worker."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_surgplan._follow import Progress
from napari_surgplan._state import State
from surgplan.errors import NothingToDoError, OutputError
from surgplan.io import (
    Case,
    list_series,
    read_volume,
    write_dicom_seg,
    write_dicom_series,
    write_label_map,
    write_scene,
    write_surface,
    write_volume,
)
from surgplan.report import ReportInput, write_report

if TYPE_CHECKING:
    from napari_surgplan._session import Session

Export = Callable[["Session", Path, Progress], Path]


def export_case(session: Session, folder: Path, progress: Progress) -> Path:
    """A copy of the case, complete or not at all; the session goes on in it.

    Raises `OutputError` if the folder holds something or cannot be written.
    """
    session.autosave.wait()
    case = session.case
    if case is None:
        msg = "there is no case to export yet; open a scan in the tab Open"
        raise NothingToDoError(msg)
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty; name a new folder, so that nothing is lost"
        raise OutputError(msg)
    progress(0.2, "copying")
    half = folder.with_name(f".{folder.name}.copying")
    try:
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(case.folder, half)
        if folder.exists():
            folder.rmdir()
        half.rename(folder)
    except OSError as e:
        shutil.rmtree(half, ignore_errors=True)
        msg = f"cannot write {folder}: {e.strerror or e}; choose a folder with room and rights"
        raise OutputError(msg) from e
    return folder


def export_report(session: Session, folder: Path, progress: Progress) -> Path:
    """``report.html``, ``report.json`` and, with the extra ``pdf``, ``report.pdf``."""
    session.autosave.wait()
    progress(0.1, "drawing")
    return write_report(report_input(session.state, session.case), folder).html


def report_input(state: State, case: Case | None) -> ReportInput:
    """What a report is made of. Raises `NothingToDoError` without structures."""
    if state.volume is None or state.label_map is None:
        msg = "a report needs structures; find them in the tab Anatomy"
        raise NothingToDoError(msg)
    return ReportInput(
        volume=state.volume,
        label_map=state.label_map,
        surfaces=state.surfaces,
        plans=state.plans,
        provenance=_provenance(state, case),
        confidence=state.confidence,
        case_name=None if case is None else case.folder.resolve().name,
    )


def _provenance(state: State, case: Case | None) -> dict[str, Any]:
    if case is None:
        return {"labels": dict(state.provenance), "warnings": []}
    manifest = case.manifest
    return {
        "inputs": manifest["inputs"],
        "software": manifest["software"],
        "model": manifest["model"],
        "labels": dict(state.provenance),
        "planning": manifest["stages"].get("plans", {}).get("settings", {}),
        "warnings": [],
    }


def export_scene(session: Session, path: Path, progress: Progress) -> Path:
    """All surfaces as one ``.glb``."""
    write_scene(_surfaces(session.state), path)
    return path


def export_surfaces(session: Session, folder: Path, progress: Progress) -> Path:
    """One ``.stl`` for each structure, in LPS millimetres."""
    surfaces = _surfaces(session.state)
    for number, surface in enumerate(surfaces):
        progress(number / len(surfaces), surface.segment.name)
        write_surface(surface, folder / f"{surface_name(surface.segment)}.stl")
    return folder


def surface_name(segment: Any) -> str:
    """The name of a surface's file: label and structure."""
    word = re.sub(r"[^a-z0-9]+", "_", segment.name.lower()).strip("_")
    return f"{segment.label:02d}_{word}"


def export_structures(session: Session, path: Path, progress: Progress) -> Path:
    """The label map on the scan's own grid; the suffix decides the format."""
    if session.label_map is None:
        msg = "there are no structures to export; find them in the tab Anatomy"
        raise NothingToDoError(msg)
    write_label_map(session.label_map, path)
    return path


def export_dicom_seg(session: Session, folder: Path, progress: Progress) -> Path:
    """``structures.dcm``, a DICOM Segmentation that refers to the images of the scan.

    A scan that did not come as DICOM, or whose images are gone, is written beside it.
    """
    volume, label_map, images = session.volume, session.label_map, session.source
    if volume is None or label_map is None:
        msg = "there are no structures to export; find them in the tab Anatomy"
        raise NothingToDoError(msg)
    series = volume.identity
    if images is None or not images.exists() or not list_series(images):
        progress(0.1, "images")
        images = export_scan(session, folder / "scan", progress)
        series = read_volume(images).identity
    progress(0.6, "segmentation")
    write_dicom_seg(label_map, images, folder / "structures.dcm", series=str(series))
    return folder


def export_scan(session: Session, path: Path, progress: Progress) -> Path:
    """The scan on its own grid: a file by its suffix, or a folder of DICOM without a suffix."""
    volume = session.volume
    if volume is None:
        msg = "there is no scan to export; open one in the tab Open"
        raise NothingToDoError(msg)
    if path.suffix:
        write_volume(volume, path)
    else:
        write_dicom_series(
            volume, path, description="surgplan export", synthetic=volume.is_synthetic
        )
    return path


def _surfaces(state: State) -> Any:
    if not state.surfaces:
        msg = "there are no surfaces to export; find structures in the tab Anatomy"
        raise NothingToDoError(msg)
    return state.surfaces
