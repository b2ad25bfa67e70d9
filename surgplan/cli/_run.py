"""`surgplan run`: from a scan to a complete case."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgplan.cli._case_stages import (
    found_labels_stage,
    given_labels_stage,
    image_stage,
    plans_stage,
    report_stage,
    surfaces_stage,
)
from surgplan.cli._couinaud_stage import CouinaudWish, couinaud_stage
from surgplan.cli._labels_given import read_labels, with_vessels
from surgplan.cli._network import Network
from surgplan.cli._options import (
    AllowResampleOption,
    ConditionOption,
    CountOption,
    DeviceOption,
    HeightOption,
    LabelNamesOption,
    MarginOption,
    MaxMemoryOption,
    ModalityOption,
    ModelOption,
    Scan,
    SeedOption,
    SeriesOption,
    ThreadsOption,
    WeightOption,
    bytes_of,
    modality_of,
)
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_folder
from surgplan.cli._plans import plan_facts, plans_table, read_plans
from surgplan.cli._steps import Steps
from surgplan.cli._structures import structures
from surgplan.cli._terminal import terminal
from surgplan.cli._wishes import Wishes
from surgplan.errors import UsageError

if TYPE_CHECKING:
    from surgplan.planning import Plan
    from surgplan.volume import LabelMap, Volume


def run(
    scan: Scan,
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Folder to make, or to go on with.")],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Existing segmentation to take instead of the network: .seg.nrrd, DICOM SEG, "
            ".nii.gz.",
        ),
    ] = None,
    merged_vessels: Annotated[
        str | None,
        typer.Option(
            "--merged-vessels",
            metavar="FILE|NUMBER",
            help="With --labels: a mask of the liver's vessels, portal and hepatic in one, or "
            "their number in the labels; told apart by the portal trunk and the vena cava.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do every stage again, also those that are done.")
    ] = False,
    label_names: LabelNamesOption = None,
    modality: ModalityOption = None,
    series: SeriesOption = None,
    allow_resample: AllowResampleOption = False,
    margin_mm: MarginOption = 10.0,
    condition: ConditionOption = "normal",
    height_cm: HeightOption = None,
    weight_kg: WeightOption = None,
    count: CountOption = 3,
    seed: SeedOption = 0,
    model: ModelOption = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    max_memory: MaxMemoryOption = None,
) -> Outcome:
    """Segmentation, surfaces, proposed resections and a report, in one folder.

    The same command again goes on where an earlier run was interrupted.
    """
    from surgplan.io import Case, read_volume

    start = time.monotonic()
    wishes = Wishes(
        margin_mm=margin_mm,
        condition=condition,
        height_cm=height_cm,
        weight_kg=weight_kg,
        count=count,
        seed=seed,
    )
    wishes.patient()
    if merged_vessels is not None and labels is None:
        msg = "`--merged-vessels` completes given labels; give `--labels` too"
        raise UsageError(msg)
    network = Network(
        model=model, device=device, threads=threads, max_memory_bytes=bytes_of(max_memory)
    )
    check_folder(case)
    volume = read_volume(
        scan, modality=modality_of(modality), series=series, allow_resample=allow_resample
    )
    inputs = {"scan": scan}
    given: LabelMap | None = None
    facts: Mapping[str, Any] | None = None
    if labels is None:
        facts = network.facts()
    else:
        given = read_labels(labels, volume, label_names=label_names, allow_resample=allow_resample)
        inputs["labels"] = labels
        if merged_vessels is not None and merged_vessels.isdecimal():
            given = with_vessels(given, labels, volume, number=int(merged_vessels))
        elif merged_vessels is not None:
            given = with_vessels(given, Path(merged_vessels), volume)
            inputs["vessels"] = Path(merged_vessels)
    opened = Case.create(case, inputs=inputs, model=facts, resume=True)
    steps = Steps(case=opened, force=force)
    image_stage(steps, volume)
    if given is not None:
        given_labels_stage(steps, given)
    else:
        found_labels_stage(steps, volume, network, facts or {})
    plans = _finish(steps, volume, wishes, threads)
    return _outcome(steps, plans, seconds=time.monotonic() - start)


def _finish(steps: Steps, volume: Volume, wishes: Wishes, threads: int | None) -> tuple[Plan, ...]:
    """From labels to the report."""
    label_map = steps.case.read_labels()
    surfaces_stage(steps, label_map)
    couinaud_stage(steps, label_map, CouinaudWish(threads=threads))
    plans_stage(steps, label_map, wishes)
    plans = read_plans(steps.case, label_map)
    report_stage(steps, volume, label_map, plans)
    return plans


def _outcome(steps: Steps, plans: tuple[Plan, ...], *, seconds: float) -> Outcome:
    from rich.console import Group

    from surgplan.planning import standings_of

    case = steps.case
    label_map = case.read_labels()
    standings = standings_of(plans, label_map)
    nothing = case.facts("plans").get("nothing")
    data = {
        "case": case.folder,
        "stages": steps.states,
        "structures": structures(label_map),
        "plans": [plan_facts(standing) for standing in standings],
        "no_plans_because": nothing,
        "couinaud": case.facts("couinaud"),
        "report": case.report_path,
        "scene": case.scene_path,
        "seconds": round(seconds, 1),
    }
    for doubt in case.facts("labels").get("doubts", []):
        terminal().note(doubt["sentence"])
    words = nothing or plans_table(standings)
    return Outcome(kind="run", data=data, text=Group(words, f"report: {case.report_path}"))
