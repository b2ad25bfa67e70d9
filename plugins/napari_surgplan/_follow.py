"""What follows from labels: surfaces, and plans judged anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from napari_surgplan._layers import ready_to_show
from napari_surgplan._state import State
from surgplan.errors import SurgplanError
from surgplan.mesh import Surface, reconstruct, reconstruct_mask
from surgplan.planning import Plan, assess_prepared, prepare, resection_from_dict
from surgplan.volume import LIVER, LabelMap, Segment

Progress = Callable[[float, str], None]

TRIANGLES = 60_000
"""At most per surface: shown fluently on a laptop, within half a voxel of all of them."""
WHOLE_LIVER = replace(LIVER, name="liver")


def silent(fraction: float, word: str) -> None:
    """Progress that nobody watches."""


def follow(
    state: State, label_map: LabelMap, *, progress: Progress = silent
) -> tuple[State, tuple[str, ...]]:
    """The state with other labels, and everything that hangs on them.

    Parameters
    ----------
    state
        As it was.
    label_map
        The labels from now on.
    progress
        Called with the fraction done and a few words.

    Returns
    -------
    State
        Surfaces of structures that did not change are kept; plans are judged on the new labels.
    tuple of str
        A sentence for each plan that the new labels leave no sense in, and that is left out.
    """
    surfaces = surfaces_after(state, label_map, progress=lambda f, w: progress(0.7 * f, w))
    plans: list[Plan] = []
    lost: list[str] = []
    prepared = None
    for number, plan in enumerate(state.plans):
        progress(0.7 + 0.3 * number / len(state.plans), f"plan {plan.name}")
        was = plan.assessment
        try:
            prepared = prepared or prepare(label_map)
            resection = resection_from_dict(plan.resection.to_dict(), label_map)
            assessment = assess_prepared(
                prepared,
                resection,
                margin_mm=was.margin_mm,
                condition=was.condition,
                patient=was.patient,
            )
        except SurgplanError as e:
            lost.append(f"Plan {plan.name} does not fit the new labels: {e}")
            continue
        fingerprint = label_map.fingerprint()
        plans.append(
            replace(
                plan,
                resection=resection,
                assessment=assessment,
                labels_fingerprint=fingerprint,
            )
        )
    ready_to_show(state.volume, label_map)
    progress(1.0, "done")
    after = replace(state, label_map=label_map, surfaces=surfaces, plans=tuple(plans))
    if after.plan(after.current) is None:
        after = replace(after, current=plans[-1].name if plans else None)
    return after, tuple(lost)


def surfaces_after(
    state: State, label_map: LabelMap, *, progress: Progress = silent
) -> tuple[Surface, ...]:
    """The whole liver, then every structure with voxels except the parenchyma, by label.

    The same surfaces as `surgplan.mesh.reconstruct_all` gives, but only those of structures that
    differ from the state's are built.
    """
    kept = {s.segment.label: s for s in state.surfaces}
    changed = _changed(state.label_map if kept else None, label_map)
    whole = label_map.whole_liver()
    present = [s for s in label_map.segments if s.label in label_map.labels_present()]
    wanted: list[Segment] = [WHOLE_LIVER] if whole.any() else []
    wanted += [s for s in present if s.code != LIVER.code]
    surfaces = []
    for number, segment in enumerate(wanted):
        progress(number / len(wanted), f"surface of {segment.name}")
        liver = segment is WHOLE_LIVER
        touched = bool(changed) if liver else segment.label in changed
        if segment.label in kept and not touched:
            surfaces.append(kept[segment.label])
        elif liver:
            surfaces.append(
                reconstruct_mask(whole, label_map.geometry, segment, triangles=TRIANGLES)
            )
        else:
            surfaces.append(reconstruct(label_map, segment, triangles=TRIANGLES))
    return tuple(surfaces)


def _changed(before: LabelMap | None, after: LabelMap) -> set[int]:
    """Labels that lost or won a voxel; all where the labels before are not known."""
    if before is None or before.geometry != after.geometry or before.segments != after.segments:
        return set(range(256))
    different = before.array != after.array
    return set(np.unique(before.array[different])) | set(np.unique(after.array[different]))
