"""Whether a synthetic scan may be used: it must be what its labels say, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.segmentation import SegmentSettings, segment
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


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """What a scan must reach.

    Attributes
    ----------
    organ_dice
        Of the segmentation of the image with the label map: whole liver and each of `ORGANS`.
    tumour_dice
        The same for tumours together, where they have `tumour_ml` at least.
    tumour_ml
        Tumours with less in all are not asked for.
    tumour_cnr
        Tumours fainter than this against the parenchyma around them, in its spread, are not asked
        for: the network of the gate misses too many of those, see `docs/synthesis.md`.
    tumours_in
        Modalities whose tumours are asked for at all.
    invented_ml
        Largest piece of tumour or cyst that may be seen where the labels have no lesion, and of an
        organ that the labels do not have.
    model
        Name or folder of the network that segments the image.
    """

    organ_dice: float = 0.9
    tumour_dice: float = 0.6
    tumour_ml: float = 4.0
    tumour_cnr: float = 2.5
    tumours_in: tuple[str, ...] = ("CT",)
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
    found = segment(image, settings=how).label_map
    known = image.modality in settings.tumours_in
    faint = _faint(image, label_map, settings.tumour_cnr if known else np.inf)
    dice, reasons = _agreement(found, label_map, faint, settings)
    invented_ml = _invented_ml(found, label_map)
    reasons += [
        f"{name}: {ml:.1f} ml are seen where the labels have none"
        for name, ml in invented_ml.items()
        if ml > settings.invented_ml
    ]
    plausible = check_plausible(image, label_map)
    not_judged_ml = float(faint.sum()) * image.geometry.voxel_volume_mm3 / 1000
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


def _faint(image: Volume, label_map: LabelMap, least: float) -> npt.NDArray[np.bool_]:
    """Tumours that cannot be told from the parenchyma around them."""
    pieces, _ = ndimage.label(label_map.mask(LIVER_TUMOUR))
    faint = np.zeros(pieces.shape, dtype=bool)
    for number, found in enumerate(ndimage.find_objects(pieces), start=1):
        reach = [round(_RING_MM / s) for s in image.geometry.spacing_mm]
        box = tuple(
            slice(max(0, s.start - n), s.stop + n) for s, n in zip(found, reach, strict=True)
        )
        inside = pieces[box] == number
        picture = image.array[box].astype(np.float32)
        _, cnr = contrast_of(picture, label_map.array[box], inside, image.geometry)
        faint[box] |= inside & (cnr < least)
    return faint


def _agreement(
    found: LabelMap, label_map: LabelMap, faint: npt.NDArray[np.bool_], settings: GateSettings
) -> tuple[dict[str, float], list[str]]:
    """Dice per structure that is asked for, and what is too low."""
    pairs = {"whole liver": (found.whole_liver(), label_map.whole_liver(), settings.organ_dice)}
    for organ in ORGANS:
        pairs[organ.name] = (found.mask(organ), label_map.mask(organ), settings.organ_dice)
    tumour = label_map.mask(LIVER_TUMOUR) & ~faint
    if tumour.sum() * label_map.geometry.voxel_volume_mm3 / 1000 >= settings.tumour_ml:
        seen = found.mask(LIVER_TUMOUR) & ~faint
        pairs[LIVER_TUMOUR.name] = (seen, tumour, settings.tumour_dice)
    dice, reasons = {}, []
    for name, (seen, wanted, least) in pairs.items():
        if not wanted.any():
            continue
        value = 2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum())
        dice[name] = round(value, 3)
        if value < least:
            reasons.append(f"{name}: Dice {value:.2f}, at least {least:g} is asked for")
    return dice, reasons


def _invented_ml(found: LabelMap, label_map: LabelMap) -> dict[str, float]:
    """Of lesions, and of each organ that the labels lack, the largest piece that is seen.

    Pieces of lesion that touch a lesion of the labels are not counted.
    """
    kinds: dict[str, tuple[Segment, ...]] = {"a lesion": (LIVER_TUMOUR, LIVER_CYST)}
    kinds |= {o.name: (o,) for o in ORGANS if not label_map.mask(o).any()}
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    invented = {}
    for name, segments in kinds.items():
        pieces, count = ndimage.label(found.mask(*segments))
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
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
