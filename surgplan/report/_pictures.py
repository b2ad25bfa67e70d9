"""All pictures of a report: the anatomy, and each plan in 3D and in slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surgplan.planning import Plan, Tumour, TumourMargin, tumours_of
from surgplan.report._cut import LiverInside
from surgplan.report._input import ReportInput
from surgplan.report._offscreen import draw_views
from surgplan.report._picture import Picture
from surgplan.report._scenes import (
    FROM_BELOW,
    FROM_FRONT,
    CutScene,
    Scene,
    overview,
    planned,
    remaining,
)
from surgplan.report._slice_picture import SliceStack, slice_picture
from surgplan.report._slices import DISPLAY_AXES
from surgplan.report._table import ml, mm, point
from surgplan.report._view_picture import view_picture
from surgplan.report._views import View, direction_words
from surgplan.report._window import window_of
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    VENA_CAVA,
    LabelMap,
    reorient,
)

SHOWN = (PORTAL_VEIN, HEPATIC_VEINS, VENA_CAVA, ARTERIES, BILIARY, LIVER_CYST, LIVER_TUMOUR)
"""Structures with an outline of their own, tumours last and so on top."""

MOST_TUMOURS = 6
MOST_MARGINS = 3


@dataclass(frozen=True, kw_only=True)
class PlanPictures:
    """3D views (none without OpenGL) and slices through the smallest margins."""

    views: tuple[Picture, ...]
    slices: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """All pictures.

    Attributes
    ----------
    overview
        3D views of the anatomy.
    slices
        Through each tumour, or the middle of the liver.
    plans
        As `ReportInput.plans`.
    no_3d_because
        Why 3D views are missing; empty where they are not.
    window
        Grey levels of all slices, in words.
    tumours_without_slices
        So many smaller ones were left out of `slices`.
    """

    overview: tuple[Picture, ...]
    slices: tuple[Picture, ...]
    plans: tuple[PlanPictures, ...]
    no_3d_because: str
    window: str
    tumours_without_slices: int


@dataclass(frozen=True, kw_only=True)
class _Titled:
    view: View
    alt: str
    caption: str


def pictures_of(report: ReportInput) -> Pictures:
    """Draw everything; 3D views that cannot be drawn are left out with a reason, never an error."""
    stack = stack_of(report)
    anatomy, plans = _views(report, stack)
    every = [titled for group in (anatomy, *plans) for titled in group]
    drawn = draw_views([titled.view for titled in every])
    done = {
        id(titled): view_picture(pixels, titled.view.camera, alt=titled.alt, caption=titled.caption)
        for titled, pixels in zip(every, drawn.pictures, strict=False)
    }
    tumours = tumours_of(report.label_map)
    return Pictures(
        overview=tuple(done[id(t)] for t in anatomy if id(t) in done),
        slices=tuple(anatomy_slices(stack, tumours[:MOST_TUMOURS])),
        plans=tuple(
            PlanPictures(
                views=tuple(done[id(t)] for t in views if id(t) in done),
                slices=tuple(_plan_slices(stack, plan)),
            )
            for plan, views in zip(report.plans, plans, strict=True)
        ),
        no_3d_because=drawn.reason if report.surfaces else "no surfaces were made of this scan",
        window=str(stack.window),
        tumours_without_slices=max(0, len(tumours) - MOST_TUMOURS),
    )


def stack_of(report: ReportInput) -> SliceStack:
    """The scan as slices show it: straight axes, cropped around the liver."""
    volume = reorient(report.volume, DISPLAY_AXES)
    label_map = reorient(report.label_map, DISPLAY_AXES)
    mask = report.whole_liver.astype(np.uint8) * LIVER.label
    on_grid = LabelMap(array=mask, geometry=report.label_map.geometry, segments=(LIVER,))
    liver = reorient(on_grid, DISPLAY_AXES).array > 0
    return SliceStack(
        volume=volume,
        label_map=replace(label_map, geometry=volume.geometry),
        liver=liver,
        structures=tuple(s for s in map(label_map.find, (w.code for w in SHOWN)) if s),
        window=window_of(volume, liver),
    ).around_liver()


def _views(report: ReportInput, stack: SliceStack) -> tuple[list[_Titled], list[list[_Titled]]]:
    if not report.surfaces:
        return [], [[] for _ in report.plans]
    inside = LiverInside(stack.liver, stack.volume.geometry)
    scene = Scene(surfaces=report.surfaces, label_map=stack.label_map, inside=inside)
    anatomy = [
        _Titled(
            view=overview(scene, direction),
            alt=f"Liver drawn like glass with vessels and tumours, seen {side}.",
            caption=f"Anatomy seen {side}.",
        )
        for direction, side in ((FROM_FRONT, "from the front"), (FROM_BELOW, "from below"))
    ]
    return anatomy, [list(_plan_views(scene, plan)) for plan in report.plans]


def _plan_views(scene: Scene, plan: Plan) -> Iterator[_Titled]:
    cut = CutScene.of(scene, plan.resection.distance_mm)
    yield _Titled(
        view=planned(cut),
        alt=f"Plan {plan.name}: remnant brown, resected part grey-blue, cut magenta.",
        caption="The resection in place, seen from the front.",
    )
    if cut.sheet is not None:
        view = remaining(cut, cut.sheet)
        side = direction_words(view.camera.towards)
        yield _Titled(
            view=view,
            alt=f"Plan {plan.name}: the liver that remains with its cut face, seen {side}.",
            caption=f"After the resection, seen {side}, onto the cut face; vessels that the cut "
            "meets are coloured on it.",
        )


def anatomy_slices(stack: SliceStack, tumours: Sequence[Tumour]) -> Iterator[Picture]:
    """Slices through each tumour; through the middle of the liver where there is none."""
    for tumour in tumours:
        where = f"tumour {tumour.id} at {point(tumour.centre_mm)} mm"
        size = f"{ml(tumour.volume_ml)}, {mm(tumour.diameter_mm)} across"
        yield slice_picture(
            stack, tumour.centre_mm, cut=None,
            alt=f"Axial, coronal and sagittal slice through {where}, outlined.",
            caption=f"Axial, coronal and sagittal slice through {where} ({size}).",
        )  # fmt: skip
    if not tumours:
        middle = _middle_mm(stack)
        yield slice_picture(
            stack, middle, cut=None,
            alt="Axial, coronal and sagittal slice through the middle of the liver, outlined.",
            caption=f"Axial, coronal and sagittal slice at {point(middle)} mm.",
        )  # fmt: skip


def _middle_mm(stack: SliceStack) -> tuple[float, float, float]:
    """Centre of the liver, or of the scan where there is none, LPS."""
    geometry = stack.volume.geometry
    middle = geometry.centre_mm
    if stack.liver.any():
        middle = geometry.to_lps(np.argwhere(stack.liver).mean(axis=0))
    x, y, z = (float(v) for v in middle)
    return x, y, z


def _critical(tumour: TumourMargin) -> str:
    if tumour.side == "resected":
        return f"the smallest margin of {tumour.name} ({mm(tumour.margin_mm)})"
    if tumour.side == "cut through":
        return f"the deepest part of {tumour.name} that stays behind ({mm(-tumour.margin_mm)})"
    return f"the point of {tumour.name}, left behind, nearest to the cut ({mm(tumour.margin_mm)})"


def _plan_slices(stack: SliceStack, plan: Plan) -> Iterator[Picture]:
    """Through the smallest margins; through the middle of the liver where there is no tumour."""
    margins: list[TumourMargin] = sorted(plan.assessment.tumours, key=lambda t: t.margin_mm)
    for tumour in margins[:MOST_MARGINS]:
        where = _critical(tumour)
        yield slice_picture(
            stack, tumour.at_mm, cut=plan.resection.distance_mm,
            alt=f"Slices through {where}, with the cut as a magenta line.",
            caption=f"Axial, coronal and sagittal slice through {where}, at "
            f"{point(tumour.at_mm)} mm.",
        )  # fmt: skip
    if not margins:
        middle = _middle_mm(stack)
        yield slice_picture(
            stack, middle, cut=plan.resection.distance_mm,
            alt="Slices through the middle of the liver, with the cut as a magenta line.",
            caption=f"Axial, coronal and sagittal slice at {point(middle)} mm.",
        )  # fmt: skip
