"""The stage of a case that parts the liver: vessel trees, territories, Couinaud's segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from surgplan.cli._steps import Steps
from surgplan.cli._terminal import Progress
from surgplan.errors import NothingToDoError

if TYPE_CHECKING:
    from surgplan.io import Case, Stage
    from surgplan.planning import CouinaudChoice, CouinaudSegments, VesselTree
    from surgplan.segmentation import LearnedCouinaud
    from surgplan.volume import LabelMap

Method = Literal["auto", "vessels", "learned"]


@dataclass(frozen=True, kw_only=True)
class CouinaudWish:
    """How the segments are wanted: by which method and model, with how many threads."""

    method: Method = "auto"
    model: str | None = None
    threads: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """What the result depends on."""
        return {"method": self.method, "model": self._model()}

    def _model(self) -> Mapping[str, str] | None:
        if self.method == "vessels" or not has_network():
            return None
        from surgplan.segmentation import COUINAUD_MODEL, find_model

        info = find_model(self.model or COUINAUD_MODEL)
        return {"name": info.name, "sha256": info.sha256}


def has_network() -> bool:
    """Whether torch and MONAI are installed; nothing is loaded."""
    return find_spec("torch") is not None and find_spec("monai") is not None


def couinaud_stage(
    steps: Steps, label_map: LabelMap, wish: CouinaudWish, *, must: bool = False
) -> None:
    """Segments by the better founded method; where there can be none the stage notes why.

    With ``must`` that is an error, `NothingToDoError`.
    """
    case = steps.case

    def work(stage: Stage, progress: Progress) -> None:
        try:
            _divide(case, stage, label_map, wish, progress)
        except NothingToDoError as e:
            if must:
                raise
            stage.facts["nothing"] = str(e)

    needs = (case.labels_path.name,)
    title = "parting the liver into segments"
    steps.do("couinaud", title, work, settings=wish.to_dict(), needs=needs)
    if must and (nothing := case.facts("couinaud").get("nothing")):
        raise NothingToDoError(nothing)


def _divide(
    case: Case, stage: Stage, label_map: LabelMap, wish: CouinaudWish, progress: Progress
) -> None:
    from surgplan.io import write_label_map
    from surgplan.planning import vessel_trees

    progress(0.0, "following vessels")
    trees = vessel_trees(label_map)
    _write_vessels(case, stage, label_map, trees)
    progress(0.5, "segments by vessels")
    vessels, no_vessels = _by_vessels(label_map, trees)
    progress(0.6, "segments by the network")
    learned = None if wish.method == "vessels" else _by_network(label_map, vessels, wish)
    if wish.method == "vessels" and vessels is None:
        raise NothingToDoError(no_vessels)
    choice = _choice(label_map, vessels, learned, wish)
    chosen = learned if choice.method == "learned" else vessels
    if chosen is None:
        raise NothingToDoError(no_vessels)
    write_label_map(chosen.label_map, stage.path(case.couinaud_path.name))
    stage.facts.update(
        {
            "method": choice.method,
            "why": choice.why,
            "warnings": list(choice.warnings),
            "segments": _segments(chosen.label_map, chosen.confidence),
            "by_vessels": list(vessels.explanation) if vessels else [no_vessels],
            "by_network": None
            if learned is None
            else {**learned.provenance, "shown": ["liver", *learned.used]},
            "agreement_percent": _agreement(vessels, learned),
        }
    )


def _write_vessels(
    case: Case, stage: Stage, label_map: LabelMap, trees: tuple[VesselTree, ...]
) -> None:
    from surgplan.io import write_label_map, write_vessels
    from surgplan.planning import territories

    parts = [territories(tree, label_map) for tree in trees]
    if parts:
        write_vessels(parts, stage.path(case.vessels_path.name))
    for part in parts:
        if part.tree.system == "portal":
            whole = part.by_label_on(label_map.geometry)
            write_label_map(whole, stage.path(case.territories_path.name))


def _by_vessels(
    label_map: LabelMap, trees: tuple[VesselTree, ...]
) -> tuple[CouinaudSegments | None, str]:
    from surgplan.planning import couinaud_from_vessels

    by_system = {tree.system: tree for tree in trees}
    if "portal" not in by_system:
        return None, "Couinaud segments by vessels need a portal vein, and none is labelled"
    try:
        return couinaud_from_vessels(label_map, by_system["portal"], by_system.get("hepatic")), ""
    except NothingToDoError as e:
        return None, str(e)


def _by_network(
    label_map: LabelMap, vessels: CouinaudSegments | None, wish: CouinaudWish
) -> LearnedCouinaud | None:
    if wish.method == "auto" and not has_network():
        return None
    from surgplan.cli._options import need_extra

    need_extra("torch", "segments by a network", "ai")
    need_extra("monai", "segments by a network", "ai")
    from surgplan.segmentation import couinaud_from_shape

    borders = vessels.borders if vessels else None
    return couinaud_from_shape(label_map, borders=borders, model=wish.model, threads=wish.threads)


def _choice(
    label_map: LabelMap,
    vessels: CouinaudSegments | None,
    learned: LearnedCouinaud | None,
    wish: CouinaudWish,
) -> CouinaudChoice:
    from surgplan.planning import choose_couinaud, sides_cut_off

    return choose_couinaud(
        vessels,
        learned.confidence if learned else None,
        cut_off=sides_cut_off(label_map),
        asked_for=None if wish.method == "auto" else wish.method,
    )


def _segments(label_map: LabelMap, confidence: Mapping[str, float]) -> list[dict[str, Any]]:
    counts = label_map.counts()
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    total = int(counts[1:].sum())
    return [
        {
            "label": s.label,
            "name": s.name,
            "volume_ml": round(float(counts[s.label]) * voxel_ml, 3),
            "share_percent": round(100 * float(counts[s.label]) / total, 2),
            "confidence": round(confidence[s.name], 3),
        }
        for s in label_map.segments
    ]


def _agreement(vessels: CouinaudSegments | None, learned: LearnedCouinaud | None) -> float | None:
    """Part of the liver on which both methods name the same segment."""
    if vessels is None or learned is None:
        return None
    inside = learned.label_map.array > 0
    same = vessels.label_map.array[inside] == learned.label_map.array[inside]
    return round(100 * float(same.mean()), 1)
