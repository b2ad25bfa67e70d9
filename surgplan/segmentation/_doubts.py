"""What speaks against believing a segmentation, named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.segmentation._settle import (
    LEAST_LESION_CONFIDENCE,
    SURE_LESION_CONFIDENCE,
    UnsureLesion,
)
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    LabelMap,
    Volume,
    box_of,
    crop,
)

DoubtKind = Literal[
    "modality or units",
    "no liver",
    "liver cut off",
    "liver size",
    "liver unsure",
    "vessels missing",
    "contrast phase",
    "tumour unsure",
    "one look only",
]

FAT_HU = (-150.0, -50.0)
LEAST_FAT = 0.01
LEAST_BONE_HU = 130.0
LIVER_HU = (-20.0, 200.0)  # from severe steatosis to late portal phase
LIVER_ML = (500.0, 4500.0)  # with the largest tumours; healthy adults have 0.9 to 2.5 l
CUT_CM2 = 4.0
LEAST_CONFIDENCE = 0.75
LEAST_VESSEL_ML = 4.0
LEAST_VESSEL_HU = 15.0


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One reason not to believe a segmentation as it stands.

    Attributes
    ----------
    kind
        What is wrong, in one of a few fixed words.
    sentence
        For people: what was seen and what to do.
    abstain
        Numbers made from this segmentation would mean nothing; a doubt that is not grave enough
        for that only asks for a look.
    """

    kind: DoubtKind
    sentence: str
    abstain: bool = False


def doubts_about(
    volume: Volume,
    label_map: LabelMap,
    confidence: npt.NDArray[np.float32],
    unsure: tuple[UnsureLesion, ...] = (),
) -> tuple[Doubt, ...]:
    """Everything that speaks against a segmentation, the gravest first.

    Parameters
    ----------
    volume
        The scan; CT in Hounsfield units.
    label_map
        What a network found in it, on the same grid.
    confidence
        ``(slice, row, column)`` in 0..1, the probability it gives to its choice.
    unsure
        Places that may be lesions but are not labelled as such.
    """
    liver = label_map.whole_liver()
    found = [*_units(volume), *_size(label_map, liver)]
    if liver.any():
        found += _cut_off(label_map, liver)
        box = box_of(liver, label_map.geometry)
        volume, label_map = crop(volume, box), crop(label_map, box)
        liver, confidence = liver[box], confidence[box]
        found += [
            *_brightness(volume, liver),
            *_unsure(liver, confidence),
            *_vessels(volume, label_map, liver),
            *_tumours(label_map, confidence),
            *_unlabelled(unsure),
        ]
    return tuple(sorted(found, key=lambda doubt: not doubt.abstain))


def one_look_only(needed_bytes: int) -> Doubt:
    """What a scan lacks for which memory allowed no second look inside the liver."""
    return Doubt(
        kind="one look only",
        sentence="Memory was too short for the second look inside the liver: its outline is "
        "coarser, most vessels and small tumours are missing. Allow "
        f"{math.ceil(needed_bytes / 1e8) / 10:.1f} GB (--max-memory), or crop the scan.",
    )


def _units(volume: Volume) -> Iterator[Doubt]:
    """CT has fat at about -100 HU and bone wherever there is a body; no other image has both."""
    sample = volume.array[:: max(1, volume.array.shape[0] // 48), ::4, ::4]
    body = sample[sample > -300]
    low, high = FAT_HU
    fat = float(((body > low) & (body < high)).mean()) if body.size else 0.0
    bright = float(np.percentile(sample, 99.9))
    if volume.modality == "CT" and bright < LEAST_BONE_HU:
        yield Doubt(
            kind="modality or units",
            sentence=f"Next to nothing is brighter than {bright:.0f}, but bone is: the values are "
            "no Hounsfield units. Check the rescale of the file.",
            abstain=True,
        )
    if volume.modality == "CT" and fat < LEAST_FAT:
        yield Doubt(
            kind="modality or units",
            sentence=f"Only {fat:.1%} of the body lies between {low:g} and {high:g}, where fat is "
            "in CT: this is no CT, or its values are no Hounsfield units. Check the modality and "
            "the rescale of the file.",
            abstain=True,
        )
    if volume.modality == "MR" and fat > LEAST_FAT and float(sample.min()) <= -900:
        yield Doubt(
            kind="modality or units",
            sentence="The values look like Hounsfield units, but the scan is said to be MR. Check "
            "the modality.",
            abstain=True,
        )


def _size(label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> Iterator[Doubt]:
    volume_ml = float(liver.sum()) * label_map.geometry.voxel_volume_mm3 / 1000
    low, high = LIVER_ML
    if volume_ml == 0:
        yield Doubt(kind="no liver", sentence="No liver was found in this scan.", abstain=True)
    elif not low < volume_ml < high:
        yield Doubt(
            kind="liver size",
            sentence=f"A liver of {volume_ml:.0f} ml was found, which few adults have; it is "
            "probably incomplete or contains something else. Look at its outline.",
            abstain=volume_ml < low / 2,
        )


def _brightness(volume: Volume, liver: npt.NDArray[np.bool_]) -> Iterator[Doubt]:
    if volume.modality != "CT":
        return
    median = float(np.median(volume.array[liver]))
    low, high = LIVER_HU
    if not low < median < high:
        yield Doubt(
            kind="modality or units",
            sentence=f"What was found as liver has {median:.0f} HU, a liver has {low:g} to "
            f"{high:g} HU: this is something else, or the values are no Hounsfield units.",
            abstain=True,
        )


def _cut_off(label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> Iterator[Doubt]:
    spacing = label_map.geometry.spacing_mm
    worst = 0.0
    for axis in range(3):
        if liver.shape[axis] == 1:
            continue
        face_cm2 = float(np.prod([s for i, s in enumerate(spacing) if i != axis])) / 100
        for end in (0, -1):
            worst = max(worst, face_cm2 * float(np.take(liver, end, axis=axis).sum()))
    if worst > CUT_CM2:
        yield Doubt(
            kind="liver cut off",
            sentence=f"The liver meets the edge of the scan over {worst:.0f} cm2: part of it was "
            "not scanned, so its volume and every percentage of it are wrong.",
            abstain=True,
        )


def _unsure(liver: npt.NDArray[np.bool_], confidence: npt.NDArray[np.float32]) -> Iterator[Doubt]:
    mean = float(confidence[liver].mean())
    if mean < LEAST_CONFIDENCE:
        yield Doubt(
            kind="liver unsure",
            sentence=f"The network is unsure about the liver (mean confidence {mean:.2f}): check "
            "its outline before using a volume.",
        )


def _vessels(volume: Volume, label_map: LabelMap, liver: npt.NDArray[np.bool_]) -> Iterator[Doubt]:
    veins = [(s, label_map.mask(s) & liver) for s in (PORTAL_VEIN, HEPATIC_VEINS)]
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    few = [s.name for s, mask in veins if mask.sum() * voxel_ml < LEAST_VESSEL_ML]
    if few:
        yield Doubt(
            kind="vessels missing",
            sentence=f"Next to nothing was found inside the liver of: {', '.join(few)}. Vessels "
            "cut, territories and the functional remnant cannot be relied on.",
        )
        return
    if volume.modality != "CT":
        return
    parenchyma = float(np.median(volume.array[label_map.mask(LIVER)]))
    contrast = max(float(np.median(volume.array[mask])) - parenchyma for _, mask in veins)
    if contrast < LEAST_VESSEL_HU:
        yield Doubt(
            kind="contrast phase",
            sentence=f"The veins of the liver are only {contrast:.0f} HU brighter than its "
            "parenchyma: the scan has no portal phase. Vessels and lesions cannot be relied on.",
        )


def _tumours(label_map: LabelMap, confidence: npt.NDArray[np.float32]) -> Iterator[Doubt]:
    tumours = label_map.mask(LIVER_TUMOUR)
    if not tumours.any():
        return
    box = box_of(tumours, label_map.geometry)
    pieces, _ = ndimage.label(tumours[box], structure=np.ones((3, 3, 3)))
    voxels = np.bincount(pieces.ravel())[1:]
    sums = np.bincount(pieces.ravel(), weights=confidence[box].ravel())[1:]
    for mean, size in zip(sums / voxels, voxels, strict=True):
        if mean < SURE_LESION_CONFIDENCE:
            volume_ml = float(size) * label_map.geometry.voxel_volume_mm3 / 1000
            yield Doubt(
                kind="tumour unsure",
                sentence=f"A tumour of {volume_ml:.1f} ml was found with a mean confidence of "
                f"{mean:.2f} only: it may be none.",
            )


def _unlabelled(unsure: tuple[UnsureLesion, ...]) -> Iterator[Doubt]:
    if not unsure:
        return
    largest = unsure[0]
    x, y, z = largest.centre_mm
    if len(unsure) > 1:
        look, count, which = f"{len(unsure)} places look", "count", "the largest"
    else:
        look, count, which = "One place looks", "counts", "it"
    yield Doubt(
        kind="tumour unsure",
        sentence=f"{look} like a lesion, but not surely (mean confidence below "
        f"{LEAST_LESION_CONFIDENCE:g}), and {count} as parenchyma; {which} has "
        f"{largest.volume_ml:.1f} ml and lies at x {x:.0f}, y {y:.0f}, z {z:.0f} mm (LPS). Look "
        "there.",
    )
