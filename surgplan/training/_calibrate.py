"""How sure a model may be: measured on phantoms that it was not trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from surgplan.errors import NothingToDoError
from surgplan.evaluation import evaluate
from surgplan.io import write_json
from surgplan.phantom import (
    MR_WEIGHTINGS,
    PHASES,
    PhantomSettings,
    make_phantom,
    render_ct,
    render_mr,
)
from surgplan.segmentation import METADATA, Reliability, SegmentSettings, conformal_bound, segment
from surgplan.volume import LabelMap, Volume, box_of

BINS = 256
MARGIN_MM = 20.0
SPACING_MM = (3.0, 1.5, 1.5)
LESIONS = 2
WIDEST = 3.0

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """What the phantoms said.

    Attributes
    ----------
    temperature
        Divides the scores, so that what is said with 80 % is right in 80 of 100 voxels.
    ece_before, ece_after
        Expected calibration error in the liver's neighbourhood, on phantoms that the temperature
        was not chosen on.
    structures
        Bounds by structure name.
    phantoms
        How many there were.
    """

    temperature: float
    ece_before: float
    ece_after: float
    structures: dict[str, Reliability]
    phantoms: int

    def write_into(self, bundle: Path) -> None:
        """Put bounds, and a temperature that lowers the error, into the metadata of a bundle.

        A volume that may be wrong by more than `WIDEST` says nothing, so that no bound is written.
        """
        path = bundle / METADATA
        metadata = json.loads(path.read_text())
        own = metadata["surgplan"]
        if self.ece_after < self.ece_before:
            own["temperature"] = round(self.temperature * float(own["temperature"]), 3)
        own["reliability"] = {
            name: asdict(r) for name, r in self.structures.items() if r.volume_factor <= WIDEST
        }
        write_json(metadata, path)


def calibrate(
    model: str | Path,
    seeds: Sequence[int],
    *,
    threads: int | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Calibration:
    """Run a model on phantoms, CT in all phases and MR, and compare with what is in them.

    Parameters
    ----------
    model
        Name or folder of a bundle.
    seeds
        One phantom each; every fifth is an MR, T1 and T2 in turn. Every second one chooses the
        temperature, the others measure what it brings.
    threads
        As in `SegmentSettings`.
    progress
        Called with the fraction done and a word.
    """
    if len(seeds) < 2:
        msg = f"calibration needs two phantoms at least, got {len(seeds)}"
        raise NothingToDoError(msg)
    halves = [np.zeros((BINS + 1, 2)), np.zeros((BINS + 1, 2))]
    factors: dict[str, list[float]] = {}
    boundaries: dict[str, list[float]] = {}
    settings = SegmentSettings(model=model, threads=threads)
    for number, seed in enumerate(seeds):
        if progress:
            progress(number / len(seeds), f"phantom {seed}")
        volume, truth = _case(seed, number)
        found = segment(volume, settings=settings)
        halves[number % 2] += _counts(found.label_map, found.confidence, truth)
        for score in evaluate(found.label_map, truth).scores:
            if score.hd95_mm is not None:
                ratio = abs(math.log(score.reference_ml / score.predicted_ml))
                factors.setdefault(score.name, []).append(ratio)
                boundaries.setdefault(score.name, []).append(score.hd95_mm)
    temperature = _temperature(halves[0])
    return Calibration(
        temperature=temperature,
        ece_before=calibration_error(halves[1], 1.0),
        ece_after=calibration_error(halves[1], temperature),
        structures={
            name: Reliability(
                volume_factor=round(math.exp(conformal_bound(values)), 3),
                boundary_mm=round(conformal_bound(boundaries[name]), 2),
                cases=len(values),
            )
            for name, values in factors.items()
            if len(values) >= 10
        },
        phantoms=len(seeds),
    )


def _case(seed: int, number: int) -> tuple[Volume, LabelMap]:
    phantom = make_phantom(PhantomSettings(seed=seed, spacing_mm=SPACING_MM, lesions=LESIONS))
    if number % 5 == 4:
        weighting = MR_WEIGHTINGS[number // 5 % len(MR_WEIGHTINGS)]
        return render_mr(phantom, seed=seed, sequence=weighting), phantom.label_map
    return render_ct(phantom, seed=seed, phase=PHASES[number % len(PHASES)]), phantom.label_map


def _counts(found: LabelMap, confidence: npt.NDArray[np.float32], truth: LabelMap) -> Counts:
    """Voxels around the true liver by confidence: all, and those that are right."""
    box = box_of(truth.whole_liver(), truth.geometry, margin_mm=MARGIN_MM)
    at = np.rint(confidence[box].ravel() * BINS).astype(int)
    right = (found.array[box] == truth.array[box]).ravel()
    pair = np.bincount(at, minlength=BINS + 1), np.bincount(at[right], minlength=BINS + 1)
    counts: Counts = np.stack(pair, axis=1).astype(float)
    return counts


def _scaled(temperature: float) -> npt.NDArray[np.float64]:
    """Confidence of each bin at another temperature, as if its rival were a single class."""
    p = np.clip(np.arange(BINS + 1) / BINS, 1e-4, 1 - 1e-4)
    odds = np.log(p / (1 - p)) / temperature
    result: npt.NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return result


def _temperature(counts: Counts) -> float:
    """The one under which what happened is most likely."""

    def loss(log_temperature: float) -> float:
        p = _scaled(math.exp(log_temperature))
        right, wrong = counts[:, 1], counts[:, 0] - counts[:, 1]
        return float(-(right * np.log(p) + wrong * np.log(1 - p)).sum() / counts[:, 0].sum())

    return float(math.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x))


def calibration_error(counts: Counts, temperature: float, groups: int = 15) -> float:
    """Expected calibration error: how far confidence lies from the share of right voxels.

    Guo et al. 2017 (https://proceedings.mlr.press/v70/guo17a.html), 15 groups of equal width.

    Parameters
    ----------
    counts
        ``(bins, 2)`` voxels per confidence: all, and those that are right.
    temperature
        Confidence is taken at this temperature.
    groups
        Number of groups.
    """
    p = _scaled(temperature)
    group = np.minimum((p * groups).astype(int), groups - 1)
    total = np.bincount(group, counts[:, 0], minlength=groups)
    right = np.bincount(group, counts[:, 1], minlength=groups)
    said = np.bincount(group, counts[:, 0] * p, minlength=groups)
    return float(np.abs(right - said).sum() / total.sum())
