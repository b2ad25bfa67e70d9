"""What each stage of a case does: one room each, its outputs under the names of the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from surgplan.cli._mesh import file_name
from surgplan.cli._plans import propose_into
from surgplan.cli._steps import Steps
from surgplan.cli._terminal import Progress
from surgplan.cli._wishes import Wishes

if TYPE_CHECKING:
    from surgplan.cli._network import Network
    from surgplan.io import Case, Stage
    from surgplan.mesh import Surface
    from surgplan.planning import Plan
    from surgplan.volume import LabelMap, Volume

TRIANGLES = 60_000
"""At most per surface of a case: shown fluently on a laptop, within half a voxel of all of them."""


def image_stage(steps: Steps, volume: Volume) -> None:
    """The scan on its own grid."""
    fingerprint = volume.fingerprint()

    def work(stage: Stage, progress: Progress) -> None:
        from surgplan.io import write_volume

        write_volume(volume, stage.path(steps.case.image_path.name))
        stage.facts["fingerprint"] = fingerprint

    steps.do("image", "storing the scan", work, settings={"fingerprint": fingerprint})


def given_labels_stage(steps: Steps, label_map: LabelMap) -> None:
    """A segmentation that came with the scan."""

    def work(stage: Stage, progress: Progress) -> None:
        _write_labels(steps.case, stage, label_map)
        stage.facts["source"] = "given"

    settings = {"source": "given", "fingerprint": label_map.fingerprint()}
    needs = (steps.case.image_path.name,)
    steps.do("labels", "storing the labels", work, settings=settings, needs=needs)


def found_labels_stage(
    steps: Steps, volume: Volume, network: Network, model: Mapping[str, Any]
) -> None:
    """A segmentation by a network, and how sure it is."""

    def work(stage: Stage, progress: Progress) -> None:
        from surgplan.io import write_scalar_map

        found = network.segment(volume, progress)
        _write_labels(steps.case, stage, found.label_map)
        path = stage.path(steps.case.confidence_path.name)
        write_scalar_map(found.confidence, volume.geometry, path, what="confidence")
        stage.facts.update({"source": "network", **found.provenance})

    settings = {"source": "network", "model": dict(model)}
    needs = (steps.case.image_path.name,)
    steps.do("labels", "segmenting", work, settings=settings, needs=needs)


def _write_labels(case: Case, stage: Stage, label_map: LabelMap) -> None:
    from surgplan.io import write_label_map

    write_label_map(label_map, stage.path(case.labels_path.name))
    write_label_map(label_map, stage.path("labels.seg.nrrd"))


def surfaces_stage(steps: Steps, label_map: LabelMap) -> None:
    """Closed surfaces of every structure, and one scene of all."""
    case = steps.case

    def work(stage: Stage, progress: Progress) -> None:
        from surgplan.io import write_scene, write_surface
        from surgplan.mesh import reconstruct_all

        surfaces = reconstruct_all(label_map, triangles=TRIANGLES)
        labels: dict[str, int] = {}
        for surface in surfaces:
            label = surface.segment.label
            name = f"{case.surfaces_path.name}/{file_name(label, surface.segment.name)}.stl"
            write_surface(surface, stage.path(name))
            labels[name] = label
        write_scene(surfaces, stage.path(case.scene_path.name))
        stage.facts["labels"] = labels

    needs = (case.labels_path.name,)
    steps.do("surfaces", "building surfaces", work, settings={"triangles": TRIANGLES}, needs=needs)


def surfaces_of(case: Case, label_map: LabelMap) -> tuple[Surface, ...]:
    """The surfaces that the stage wrote, the whole liver first."""
    from surgplan.io import read_surface

    segments = {s.label: s for s in label_map.segments}
    written: Mapping[str, int] = case.facts("surfaces").get("labels", {})
    return tuple(
        read_surface(case.folder / name, segments[label]) for name, label in written.items()
    )


def plans_stage(steps: Steps, label_map: LabelMap, wishes: Wishes) -> None:
    """Resections proposed for the tumours."""
    scan = str(steps.case.facts("image")["fingerprint"])
    steps.do(
        "plans",
        "proposing resections",
        lambda stage, progress: propose_into(stage, label_map, scan, wishes, progress),
        settings=wishes.to_dict(),
        needs=(steps.case.image_path.name, steps.case.labels_path.name),
    )


def report_stage(
    steps: Steps, volume: Volume, label_map: LabelMap, plans: tuple[Plan, ...]
) -> None:
    """One page with pictures, and its numbers."""
    case = steps.case

    def work(stage: Stage, progress: Progress) -> None:
        from surgplan.report import ReportInput, write_report

        confidence = case.read_confidence()
        report = ReportInput(
            volume=volume,
            label_map=label_map,
            surfaces=surfaces_of(case, label_map),
            plans=plans,
            provenance=_provenance(case),
            confidence=None if confidence is None else confidence[0],
            couinaud=_couinaud_of(case),
            case_name=case.folder.resolve().name,
        )
        write_report(report, stage.folder)

    files = [case.image_path, case.labels_path, case.scene_path, *case.plan_paths()]
    if case.facts("couinaud").get("method"):
        files.append(case.couinaud_path)
    needs = [p.relative_to(case.folder).as_posix() for p in files]
    steps.do("report", "writing the report", work, settings=_provenance(case), needs=needs)


def _couinaud_of(case: Case) -> LabelMap | None:
    return case.read_couinaud() if case.facts("couinaud").get("method") else None


def _provenance(case: Case) -> dict[str, Any]:
    """Where the numbers of a report come from; plain values."""
    manifest = case.manifest
    stages = manifest["stages"]
    nothing = [case.facts(stage).get("nothing") for stage in ("plans", "couinaud")]
    couinaud = case.facts("couinaud")
    return {
        "inputs": manifest["inputs"],
        "software": manifest["software"],
        "model": manifest["model"],
        "labels": case.facts("labels"),
        "planning": stages["plans"]["settings"],
        "couinaud": couinaud or None,
        "warnings": [*(n for n in nothing if n), *couinaud.get("warnings", [])],
    }
