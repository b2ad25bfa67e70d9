"""Whether a synthetic scan may be used: it must be what its labels say, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.segmentation import (
    SURE_LESION_CONFIDENCE,
    Segmentation,
    SegmentSettings,
    segment,
)
from surgplan.synthesis._brightness import USUAL_HU, USUAL_MR
from surgplan.synthesis._lesion_insert import contrast_of
from surgplan.volume import (
    LEFT_KIDNEY,
    LIVER_CYST,
    LIVER_TUMOUR,
    RIGHT_KIDNEY,
    SPLEEN,
    LabelMap,
    Modality,
    Segment,
    Volume,
    box_of,
)

GATE_MODEL = "gate-3mm"
"""Shipped network that has learned every phase and weighting from drawn scans and real ones, and
has never seen an image of a generator."""

ORGANS: tuple[Segment, ...] = (SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY)
"""Organs whose agreement is asked for, besides the whole liver."""

OVERLAP = 0.25
_RING_MM = 12.0  # what `contrast_of` looks at, and a little more
_SPILL_VOXELS = 2  # so far beyond a tumour that is not asked for it may be seen


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """What a scan must reach.

    Attributes
    ----------
    organ_dice
        Of the segmentation of the image with the label map: whole liver and each of `ORGANS`.
    tumour_dice
        The same for tumours together.
    tumour_ml, tumour_cnr
        Tumours smaller than this, or fainter against the parenchyma around them in its spread, are
        not asked for: the network of the gate misses too many of those, see `docs/synthesis.md`.
    invented_ml
        Largest piece of tumour or cyst that may be seen for sure (`SURE_LESION_CONFIDENCE`) where
        the labels have no lesion, and of an organ that the labels do not have.
    model
        Name or folder of the network that segments the image.
    """

    organ_dice: float = 0.9
    tumour_dice: float = 0.6
    tumour_ml: float = 4.0
    tumour_cnr: float = 1.0
    invented_ml: float = 4.0
    model: str = GATE_MODEL


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """The verdict on a scan.

    Attributes
    ----------
    reasons
        Why it is refused, in words; none where it passed.
    figures
        What was measured.
    """

    reasons: tuple[str, ...]
    figures: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether the scan may be used."""
        return not self.reasons


def check_volume(
    image: Volume, label_map: LabelMap, settings: GateSettings | None = None
) -> GateReport:
    """Judge a synthetic scan by its labels.

    Four questions: does a network see the same organs and tumours, does it see what is not there
    (hallucinations), is each structure as bright as such structures are, and is the field of view
    that of an abdomen? A refusal may also be the network's error, so the rates are to be read with
    its own accuracy in mind.
    """
    settings = settings or GateSettings()
    how = SegmentSettings(model=settings.model, overlap=OVERLAP, reference=True)
    seen = segment(image, settings=how)
    found = seen.label_map
    passed_over = _passed_over(image, label_map, settings)
    dice, reasons = _agreement(found, label_map, passed_over, settings)
    invented_ml = _invented_ml(seen, label_map)
    reasons += [
        f"{name}: {ml:.1f} ml are seen where the labels have none"
        for name, ml in invented_ml.items()
        if ml > settings.invented_ml
    ]
    plausible = check_plausible(image, label_map)
    not_judged_ml = float(passed_over.sum()) * image.geometry.voxel_volume_mm3 / 1000
    figures = {
        "dice": dice,
        "tumour_not_judged_ml": round(not_judged_ml, 2),
        "invented_ml": invented_ml,
        **plausible.figures,
    }
    return GateReport(reasons=(*reasons, *plausible.reasons), figures=figures)


def check_plausible(image: Volume, label_map: LabelMap) -> GateReport:
    """The two questions of `check_volume` that need no network, at a small part of its cost."""
    medians = _medians(image, label_map)
    reasons = _outside_bands(medians, image.modality) + _field_of_view(image, label_map)
    return GateReport(reasons=tuple(reasons), figures={"median": medians})


def _passed_over(
    image: Volume, label_map: LabelMap, settings: GateSettings
) -> npt.NDArray[np.bool_]:
    """Tumours that are too small or too faint to be asked for."""
    pieces, _ = ndimage.label(label_map.mask(LIVER_TUMOUR))
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    over = np.zeros(pieces.shape, dtype=bool)
    for number, found in enumerate(ndimage.find_objects(pieces), start=1):
        reach = [round(_RING_MM / s) for s in image.geometry.spacing_mm]
        box = tuple(
            slice(max(0, s.start - n), s.stop + n) for s, n in zip(found, reach, strict=True)
        )
        inside = pieces[box] == number
        picture = image.array[box].astype(np.float32)
        _, cnr = contrast_of(picture, label_map.array[box], inside, image.geometry)
        if inside.sum() * voxel_ml < settings.tumour_ml or cnr < settings.tumour_cnr:
            over[box] |= inside
    return over


def _agreement(
    found: LabelMap,
    label_map: LabelMap,
    passed_over: npt.NDArray[np.bool_],
    settings: GateSettings,
) -> tuple[dict[str, float], list[str]]:
    """Dice per structure that is asked for, and what is too low."""
    pairs = {"whole liver": (found.whole_liver(), label_map.whole_liver(), settings.organ_dice)}
    for organ in ORGANS:
        pairs[organ.name] = (found.mask(organ), label_map.mask(organ), settings.organ_dice)
    tumour = label_map.mask(LIVER_TUMOUR) & ~passed_over
    around = ndimage.binary_dilation(passed_over, iterations=_SPILL_VOXELS) & ~tumour
    pieces, _ = ndimage.label(found.mask(LIVER_TUMOUR) & ~around)
    touching = np.setdiff1d(pieces[tumour], 0)  # others are judged as invented
    pairs[LIVER_TUMOUR.name] = (np.isin(pieces, touching), tumour, settings.tumour_dice)
    dice, reasons = {}, []
    for name, (seen, wanted, least) in pairs.items():
        if not wanted.any():
            continue
        value = 2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum())
        dice[name] = round(value, 3)
        if value < least:
            reasons.append(f"{name}: Dice {value:.2f}, at least {least:g} is asked for")
    return dice, reasons


def _invented_ml(seen: Segmentation, label_map: LabelMap) -> dict[str, float]:
    """Of lesions, and of each organ that the labels lack, the largest piece that is surely seen.

    Pieces of lesion that touch a lesion of the labels are not counted, nor are those that leave the
    network in doubt, as patches of fat do.
    """
    kinds: dict[str, tuple[Segment, ...]] = {"a lesion": (LIVER_TUMOUR, LIVER_CYST)}
    kinds |= {o.name: (o,) for o in ORGANS if not label_map.mask(o).any()}
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    invented = {}
    for name, segments in kinds.items():
        pieces, count = ndimage.label(seen.label_map.mask(*segments))
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        sure = np.bincount(pieces.ravel(), seen.confidence.ravel(), minlength=count + 1)
        sizes[sure < SURE_LESION_CONFIDENCE * sizes] = 0
        sizes[np.unique(pieces[label_map.mask(*segments)])] = 0
        sizes[0] = 0
        invented[name] = round(float(sizes.max()) * voxel_ml, 2)
    return invented


def _medians(image: Volume, label_map: LabelMap) -> dict[str, float]:
    """Median of each structure away from its edge; of all of it where nothing is left then.

    Lesions so small that nothing is left have none: their neighbours shine through.
    """
    medians = {}
    for segment_ in label_map.segments:
        mask = label_map.mask(segment_)
        if mask.any():
            box = box_of(mask, label_map.geometry)
            inner: npt.NDArray[np.bool_] = ndimage.binary_erosion(mask[box])
            has_inside = inner.sum() >= 20
            if not has_inside and segment_ in (LIVER_CYST, LIVER_TUMOUR):
                continue
            core = inner if has_inside else mask[box]
            medians[segment_.name] = round(float(np.median(image.array[box][core])), 1)
    return medians


def _outside_bands(medians: dict[str, float], modality: Modality) -> list[str]:
    bands, unit = (USUAL_HU, " HU") if modality == "CT" else (USUAL_MR, "")
    reasons = []
    for segment_, (low, high) in bands.items():
        value = medians.get(segment_.name)
        if value is not None and not low <= value <= high:
            usual = f"{low:.0f}..{high:.0f} is usual"
            reasons.append(f"{segment_.name}: median {value:.0f}{unit}, {usual}")
    return reasons


def _field_of_view(image: Volume, label_map: LabelMap) -> list[str]:
    """An abdomen fills 150 to 700 mm across, and its liver is not cut in the slice plane."""
    reasons = []
    extent = np.array(image.geometry.shape) * image.geometry.spacing_mm
    if not (60 <= extent[0] <= 1000 and (extent[1:] >= 150).all() and (extent[1:] <= 700).all()):
        reasons.append(f"the field of view is {extent.round().tolist()} mm")
    liver = label_map.whole_liver()
    if not liver.any():
        return [*reasons, "there is no liver"]
    edge = sum(int(liver.take(at, axis=axis).sum()) for axis in (1, 2) for at in (0, -1))
    if edge > 0.002 * liver.sum():
        reasons.append("the liver is cut at the side of the field of view")
    return reasons
