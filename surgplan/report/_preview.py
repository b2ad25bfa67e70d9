"""One picture that shows at a glance whether a segmentation went wrong."""

from __future__ import annotations

from pathlib import Path

from surgplan.io import atomic_file
from surgplan.planning import tumours_of
from surgplan.report._input import ReportInput
from surgplan.report._pictures import anatomy_slices, stack_of
from surgplan.volume import LabelMap, Volume


def write_preview(volume: Volume, label_map: LabelMap, path: Path) -> None:
    """Write a JPEG: three slices through the first tumour, else the middle of the liver, outlined.

    Raises
    ------
    GeometryMismatchError
        If the label map lies on another grid than the scan.
    OutputError
        If the file cannot be written.
    """
    shown = ReportInput(volume=volume, label_map=label_map, surfaces=(), plans=())
    picture = next(anatomy_slices(stack_of(shown), tumours_of(label_map)[:1]))
    with atomic_file(path) as temporary:
        temporary.write_bytes(picture.data)
