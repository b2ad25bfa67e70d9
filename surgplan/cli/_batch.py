"""`surgplan batch`: many scans to as many cases."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgplan.cli._network import Network
from surgplan.cli._options import (
    AllowResampleOption,
    ConditionOption,
    DeviceOption,
    MarginOption,
    MaxMemoryOption,
    ModelOption,
    ThreadsOption,
    bytes_of,
)
from surgplan.cli._outcome import Outcome, one_line
from surgplan.cli._places import check_folder
from surgplan.cli._terminal import terminal
from surgplan.errors import BatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from surgplan.fleet import Job, Result, Study

_PROGRAM = (sys.executable, "-c", "from surgplan.cli import main; raise SystemExit(main())")


def batch(
    inputs: Annotated[
        Path,
        typer.Argument(
            metavar="INPUTS",
            help="Folder of scans (files, zips, DICOM folders), or CSV with the column scan and "
            "perhaps name, labels, modality, series.",
        ),
    ],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the cases.")],
    workers: Annotated[int, typer.Option("--workers", min=1, help="Studies at a time.")] = 1,
    timeout_min: Annotated[
        float, typer.Option("--timeout-min", min=0.01, help="A study that takes longer is stopped.")
    ] = 60.0,
    force: Annotated[
        bool, typer.Option("--force", help="Do every study again, also those that are done.")
    ] = False,
    allow_resample: AllowResampleOption = False,
    margin_mm: MarginOption = 10.0,
    condition: ConditionOption = "normal",
    model: ModelOption = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    max_memory: MaxMemoryOption = None,
) -> Outcome:
    """Do `surgplan run` for every scan; one that fails is told and the rest go on.

    The same command again goes on where an earlier run was interrupted, and tries again what
    failed. Ends with 8 where a study failed.
    """
    from surgplan.fleet import BatchSettings, Job, read_studies, run_batch, write_summary

    check_folder(out_dir)
    studies = read_studies(inputs)
    network = Network(
        model=model, device=device, threads=threads, max_memory_bytes=bytes_of(max_memory)
    )
    if any(study.labels is None for study in studies):
        network.facts()
    each = max(1, (os.cpu_count() or 1) // workers) if threads is None else threads
    words = _words(
        margin_mm=margin_mm, condition=condition, model=model, device=device,
        threads=each, max_memory=max_memory,
    )  # fmt: skip
    words += ["--allow-resample"] * allow_resample + ["--force"] * force
    jobs: list[Job] = []
    for study in studies:
        case = out_dir / study.name
        command = (*_PROGRAM, "run", *_study_words(study), *words, "--", str(study.scan), str(case))
        image, labels = case / "image.nii.gz", case / "labels.nii.gz"
        jobs.append(Job(study=study, command=command, image=image, labels=labels))
    settings = BatchSettings(workers=workers, timeout_s=60 * timeout_min, force=force)
    with terminal().progress("batch") as progress:
        results = run_batch(jobs, out_dir, settings=settings, progress=progress)
    write_summary(results, out_dir)
    return _outcome(results, out_dir)


def _words(**options: object) -> list[str]:
    """Options as they stand on a command line; those that are None are left out."""
    words = ["--json", "--quiet"]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def _study_words(study: Study) -> list[str]:
    return _words(labels=study.labels, modality=study.modality, series=study.series)[2:]


def _outcome(results: Sequence[Result], out_dir: Path) -> Outcome:
    failed = [r for r in results if r.state == "failed"]
    data = {
        "out_dir": out_dir,
        "summary": out_dir / "summary.html",
        "studies": [
            {
                "name": r.name,
                "state": r.state,
                "seconds": r.seconds,
                "exit_code": r.exit_code,
                "message": r.message,
            }
            for r in results
        ],
    }
    exit_code = BatchError.exit_code if failed else 0
    return Outcome(kind="batch", data=data, text=_table(results, out_dir), exit_code=exit_code)


def _table(results: Sequence[Result], out_dir: Path) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption=Text(f"summary: {out_dir / 'summary.html'}"))
    table.add_column("study")
    table.add_column("state")
    table.add_column("seconds", justify="right")
    table.add_column("why")
    for r in results:
        table.add_row(r.name, r.state, f"{r.seconds:.1f}", Text(one_line(r.message)))
    return table
