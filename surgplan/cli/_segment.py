"""`surgplan segment`: the structures in a scan, found by a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._network import Network
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
)
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_file
from surgplan.cli._structures import structures, structures_table
from surgplan.cli._terminal import terminal
from surgplan.errors import UsageError

LABEL_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".dcm")
CONFIDENCE_SUFFIXES = (".nii.gz", ".nii")


def segment(
    scan: Scan,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help=".nii.gz, .seg.nrrd, or .dcm for a DICOM scan.")
    ],
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
    from surgplan.io import (
        list_series,
        read_volume,
        write_dicom_seg,
        write_label_map,
        write_scalar_map,
    )

    start = time.monotonic()
    network = Network(
        model=model, device=device, threads=threads, max_memory_bytes=bytes_of(max_memory)
    )
    check_file(out, LABEL_SUFFIXES)
    if confidence is not None:
        check_file(confidence, CONFIDENCE_SUFFIXES)
    volume = read_volume(
        scan, modality=modality_of(modality), series=series, allow_resample=allow_resample
    )
    if _is_dicom(out) and not list_series(scan):
        msg = f"a DICOM Segmentation refers to DICOM images, {scan.name} has none; write .seg.nrrd"
        raise UsageError(msg)
    network.facts()
    with terminal().progress("segmenting") as progress:
        found = network.segment(volume, progress)
    if _is_dicom(out):
        name = f"{found.provenance['model']} {found.provenance['model_version']}"
        write_dicom_seg(found.label_map, scan, out, series=str(volume.identity), model=name)
    else:
        write_label_map(found.label_map, out)
    if confidence is not None:
        write_scalar_map(found.confidence, volume.geometry, confidence, what="confidence")
    data = {
        "labels": out,
        "confidence": confidence,
        "structures": structures(found.label_map),
        "provenance": found.provenance,
        "seconds": round(time.monotonic() - start, 1),
    }
    for doubt in found.doubts:
        terminal().note(doubt.sentence)
    return Outcome(
        kind="segment", data=data, text=structures_table(found.label_map, title=str(out))
    )


def _is_dicom(path: Path) -> bool:
    return path.suffix.lower() == ".dcm"
