"""Whether a synthetic scan may be used: it must be what its labels say, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.segmentation import SegmentSettings, segment
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    BONE,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    LabelMap,
    Segment,
    Volume,
)

ORGANS: tuple[Segment, ...] = (SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY)
"""Organs whose agreement is asked for, besides the whole liver."""

# Median HU over all phases, from non-contrast to arterial; wide on purpose.
_BANDS_HU: dict[Segment, tuple[float, float]] = {
    LIVER: (0, 165), PORTAL_VEIN: (15, 260), HEPATIC_VEINS: (15, 260), VENA_CAVA: (15, 260),
    ARTERIES: (15, 450), BILIARY: (-20, 60), SPLEEN: (15, 190), RIGHT_KIDNEY: (-10, 280),
    LEFT_KIDNEY: (-10, 280), PANCREAS: (-30, 150), LUNGS: (-980, -500), BONE: (60, 700),
    LIVER_CYST: (-20, 35), LIVER_TUMOUR: (-30, 230),
}  # fmt: skip


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
    invented_ml
        Largest piece of tumour or cyst that may be seen where the labels have no lesion.
    model
        Of the segmentation; None takes the shipped one.
    """

    organ_dice: float = 0.9
    tumour_dice: float = 0.6
    tumour_ml: float = 4.0
    invented_ml: float = 4.0
    model: str | None = None


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

    Four questions: does the shipped network see the same organs and tumours, does it see lesions
    that are not there (hallucinations), is each structure as bright as such structures are, and is
    the field of view that of an abdomen? A refusal may also be the network's error, so the rates
    are to be read with its own accuracy in mind.
    """
    settings = settings or GateSettings()
    found = segment(image, settings=SegmentSettings(model=settings.model)).label_map
    dice, reasons = _agreement(found, label_map, settings)
    invented_ml = _invented_ml(found, label_map)
    if invented_ml > settings.invented_ml:
        reasons.append(f"a lesion of {invented_ml:.1f} ml is seen where the labels have none")
    medians = _medians(image, label_map)
    if image.modality == "CT":
        reasons += _outside_bands(medians)
    reasons += _field_of_view(image, label_map)
    figures = {"dice": dice, "invented_ml": round(invented_ml, 2), "median": medians}
    return GateReport(reasons=tuple(reasons), figures=figures)


def _agreement(
    found: LabelMap, label_map: LabelMap, settings: GateSettings
) -> tuple[dict[str, float], list[str]]:
    """Dice per structure that is asked for, and what is too low."""
    pairs = {"whole liver": (found.whole_liver(), label_map.whole_liver(), settings.organ_dice)}
    for organ in ORGANS:
        pairs[organ.name] = (found.mask(organ), label_map.mask(organ), settings.organ_dice)
    if label_map.volume_ml(LIVER_TUMOUR) >= settings.tumour_ml:
        tumour = found.mask(LIVER_TUMOUR), label_map.mask(LIVER_TUMOUR)
        pairs[LIVER_TUMOUR.name] = (*tumour, settings.tumour_dice)
    dice, reasons = {}, []
    for name, (seen, wanted, least) in pairs.items():
        if not wanted.any():
            continue
        value = 2 * float((seen & wanted).sum()) / float(seen.sum() + wanted.sum())
        dice[name] = round(value, 3)
        if value < least:
            reasons.append(f"{name}: Dice {value:.2f}, at least {least:g} is asked for")
    return dice, reasons


def _invented_ml(found: LabelMap, label_map: LabelMap) -> float:
    """The largest piece of lesion that is seen and touches no lesion of the labels."""
    seen = found.mask(LIVER_TUMOUR, LIVER_CYST)
    pieces, count = ndimage.label(seen)
    if not count:
        return 0.0
    real = label_map.mask(LIVER_TUMOUR, LIVER_CYST)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    sizes[np.unique(pieces[real])] = 0
    return float(sizes.max()) * label_map.geometry.voxel_volume_mm3 / 1000


def _medians(image: Volume, label_map: LabelMap) -> dict[str, float]:
    """Median of each structure away from its edge; of all of it where nothing is left then."""
    medians = {}
    for segment_ in label_map.segments:
        mask = label_map.mask(segment_)
        if mask.any():
            inner: npt.NDArray[np.bool_] = ndimage.binary_erosion(mask)
            core = inner if inner.sum() >= 20 else mask
            medians[segment_.name] = round(float(np.median(image.array[core])), 1)
    return medians


def _outside_bands(medians: dict[str, float]) -> list[str]:
    reasons = []
    for segment_, (low, high) in _BANDS_HU.items():
        value = medians.get(segment_.name)
        if value is not None and not low <= value <= high:
            reasons.append(f"{segment_.name}: median {value:.0f} HU, {low}..{high} is usual")
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
