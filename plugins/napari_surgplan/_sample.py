"""The shipped sample: a liver with tumours, made by computation, no patient behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import surgplan
from napari_surgplan._follow import Progress, follow, silent
from napari_surgplan._load import Loaded, load, on_grid_of
from surgplan.errors import NothingToDoError
from surgplan.io import read_label_map

CT, LABELS = "synthetic_liver_ct.nii.gz", "liver_labels.nii.gz"


def sample_folder() -> Path:
    """Where the sample lies: inside the installed package, or in the source tree beside it.

    Raises `NothingToDoError` if it is in neither.
    """
    package = Path(surgplan.__file__).parent
    for folder in (package / "_samples", package.parent / "sample_volumes"):
        if (folder / CT).is_file():
            return folder
    msg = "the sample scan is not there; install surgplan again from its wheel"
    raise NothingToDoError(msg)


def sample_scan(*, progress: Progress = silent) -> Loaded:
    """The sample as a bare scan, to find its structures oneself."""
    return load(sample_folder() / CT, modality="CT", progress=progress)


def sample_case(*, progress: Progress = silent) -> Loaded:
    """The sample with its structures, which are known exactly, and their surfaces."""
    scan = sample_scan(progress=lambda f, w: progress(f / 3, w))
    volume = scan.state.volume
    if volume is None:
        msg = f"{CT} holds no scan; install surgplan again from its wheel"
        raise NothingToDoError(msg)
    label_map = on_grid_of(volume, read_label_map(sample_folder() / LABELS), LABELS)
    bare = replace(scan.state, provenance={"source": "known, the sample is computed"})
    state, _ = follow(bare, label_map, progress=lambda f, w: progress((1 + 2 * f) / 3, w))
    return replace(scan, state=state)
