"""What napari's File > Open and drag and drop ask: scans, structures, cases as layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_surgplan._layers import LayerData, image_layer, labels_layer, layers_of
from napari_surgplan._load import Loaded, is_case, is_segmentation, load
from napari_surgplan._sample import sample_case, sample_scan
from surgplan.io import read_label_map

LOADED, PATH, SAMPLE = "surgplan_loaded", "surgplan_path", "surgplan_sample"
"""Keys in the metadata of layers, by which the dock goes on with them."""
SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip", ".dcm")
PREAMBLE = 128
NO_LAYERS: tuple[Any, ...] = ((None,),)
"""What napari takes for: read, and nothing to add."""

Reader = Callable[[Any], list[LayerData]]


class Dock(Protocol):
    """Who opens files in a viewer."""

    def drop(self, path: Path) -> None:
        """Read what lies at a path, and show it."""


_docks: dict[Any, Dock] = {}


def hand_over(viewer: Any, dock: Dock | None) -> None:
    """Let a dock open what napari's menus bring to its viewer from now on; None ends it.

    It reads on a thread, where napari would let the window stand still, and says what is wrong.
    """
    if dock is None:
        _docks.pop(viewer, None)
    else:
        _docks[viewer] = dock


def _dock() -> Dock | None:
    from napari import current_viewer

    return _docks.get(current_viewer())


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """The function that reads a path, None where it is no scan, segmentation or case."""
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    place = Path(path)
    if place.is_dir():
        taken = _dock() is not None  # it says what a folder lacks
        return read_layers if taken or is_case(place) or _has_dicom(place) else None
    return read_layers if place.name.lower().endswith(SUFFIXES) else None


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Layers of a scan, a segmentation or a case; none where a dock opens it.

    Raises as `surgplan.io` does.
    """
    place = Path(path if isinstance(path, str) else path[0])
    dock = _dock()
    if dock is not None:
        dock.drop(place)
        return list(NO_LAYERS)
    if not is_case(place) and is_segmentation(place):
        data, settings, kind = labels_layer(read_label_map(place))
        settings["metadata"] = {**settings["metadata"], PATH: str(place)}
        return [(data, settings, kind)]
    return _layers(load(place))


def sample_layers() -> list[LayerData]:
    """The sample with its structures; a mark in its place where a dock opens it."""
    return _layers(sample_case()) if _dock() is None else _mark(bare=False)


def sample_scan_layers() -> list[LayerData]:
    """The sample as a bare scan; a mark in its place where a dock opens it."""
    return _layers(sample_scan()) if _dock() is None else _mark(bare=True)


def _mark(*, bare: bool) -> list[LayerData]:
    """A layer for a moment, since napari takes no sample without one."""
    return [(np.zeros((1, 1, 1), dtype=np.uint8), {"metadata": {SAMPLE: bare}}, "image")]


def _layers(loaded: Loaded) -> list[LayerData]:
    state = loaded.state
    if state.volume is None:
        return []
    if state.label_map is None:
        layers = [image_layer(state.volume)]
    else:
        layers = layers_of(state.volume, state.label_map, state.surfaces)
    for _, settings, _ in layers:
        settings["metadata"] = {**settings.get("metadata", {}), LOADED: loaded}
    return layers


def _has_dicom(folder: Path) -> bool:
    """Whether one of the first files, however deep, starts as DICOM does."""
    files = (p for p in folder.rglob("*") if p.is_file())
    for _, path in zip(range(20), files, strict=False):
        with path.open("rb") as file:
            head = file.read(PREAMBLE + 4)
        if head[PREAMBLE:] == b"DICM":
            return True
    return False
