"""`surgplan segment`: the structures in a scan, found by a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgplan.cli._options import (
    AllowResampleOption,
    DeviceOption,
    MaxMemoryOption,
    ModalityOption,
    ModelOption,
    Scan,
    SeriesOption,
    ThreadsOption,
    bytes_of,
    modality_of,
    need_extra,
)
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_file
from surgplan.cli._structures import structures, structures_table
from surgplan.cli._terminal import terminal

if TYPE_CHECKING:
    from surgplan.segmentation import Segmentation
    from surgplan.volume import Volume

LABEL_SUFFIXES = (".nii.gz", ".nii", ".nrrd")
VOLUME_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def segment(
    scan: Scan,
    out: Annotated[Path, typer.Argument(help=".nii.gz, or .seg.nrrd for 3D Slicer.")],
    confidence: Annotated[
        Path | None,
        typer.Option("--confidence", metavar="FILE", help="Probability of each voxel's choice."),
    ] = None,
    modality: ModalityOption = None,
    series: SeriesOption = None,
    allow_resample: AllowResampleOption = False,
    model: ModelOption = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    max_memory: MaxMemoryOption = None,
) -> Outcome:
    """Find liver, vessels, tumours and the organs around them in a CT or MR scan."""
    from surgplan.io import read_volume, write_label_map, write_volume

    start = time.monotonic()
    limit = bytes_of(max_memory)
    check_file(out, LABEL_SUFFIXES)
    if confidence is not None:
        check_file(confidence, VOLUME_SUFFIXES)
    volume = read_volume(
        scan, modality=modality_of(modality), series=series, allow_resample=allow_resample
    )
    found = run_network(volume, model=model, device=device, threads=threads, max_memory=limit)
    write_label_map(found.label_map, out)
    if confidence is not None:
        write_volume(volume.with_array(found.confidence), confidence)
    data = {
        "labels": out,
        "confidence": confidence,
        "structures": structures(found.label_map),
        "provenance": found.provenance,
        "seconds": round(time.monotonic() - start, 1),
    }
    return Outcome(
        kind="segment", data=data, text=structures_table(found.label_map, title=str(out))
    )


def run_network(
    volume: Volume,
    *,
    model: str | None,
    device: str,
    threads: int | None,
    max_memory: int | None,
) -> Segmentation:
    """Segment with a progress bar. Raises `MissingExtraError` without torch or MONAI."""
    need_extra("torch", "segmentation by a network", "ai")
    need_extra("monai", "segmentation by a network", "ai")
    from surgplan.segmentation import SegmentSettings
    from surgplan.segmentation import segment as segment_volume

    with terminal().progress("segmenting") as progress:
        settings = SegmentSettings(
            model=model,
            device=device,
            threads=threads,
            max_memory_bytes=max_memory,
            progress=progress,
        )
        return segment_volume(volume, settings=settings)
