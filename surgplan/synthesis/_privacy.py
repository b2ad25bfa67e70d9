"""Whether a generator hands out its training scans: copies, and membership.

After Dar et al. 2024 (https://arxiv.org/abs/2402.01054): a made patch is a copy when it is more
like its nearest training patch than real patches of other people are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.stats import rankdata

from surgplan.errors import UsageError

_SIDE = 10
_HELD_OUT_SHARE = 0.95

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CopyAudit:
    """What a search for copies found.

    Attributes
    ----------
    threshold
        Correlation that 95 percent of held-out patches stay below.
    copied
        Share of made patches above it. 0.05 is what patches of other people would give.
    largest
        The largest correlation of a made patch with a training patch.
    median, median_held_out
        Of made and of held-out patches.
    suspects
        Place of each made patch above the threshold, and of its nearest training patch.
    """

    threshold: float
    copied: float
    largest: float
    median: float
    median_held_out: float
    suspects: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the list of suspects."""
        return {k: v for k, v in asdict(self).items() if k != "suspects"}


def descriptors(patches: Sequence[npt.NDArray[Any]]) -> Array:
    """Each patch as a vector of unit length, ``(n, 1000)``, that noise and brightness leave alone.

    Patches are ``(slice, row, column)`` of what is left after class means; blurred, brought to
    10 x 10 x 10 values, their mean and scale removed.
    """
    rows = []
    for patch in patches:
        zoom = [_SIDE / n for n in patch.shape]
        smooth = ndimage.gaussian_filter(
            np.asarray(patch, dtype=np.float64), [0.4 / z for z in zoom]
        )
        row = ndimage.zoom(smooth, zoom, order=1).ravel()
        row -= row.mean()
        rows.append(row / max(float(np.linalg.norm(row)), 1e-9))
    return np.array(rows)


def audit_copies(made: Array, training: Array, held_out: Array) -> CopyAudit:
    """Look for made patches that are nearer to training than held-out real patches are.

    All three are `descriptors`; training patches should overlap by three quarters at least, so that
    a copy is found wherever it begins.
    """
    if min(len(made), len(training), len(held_out)) == 0:
        msg = "an audit needs made, training and held-out patches"
        raise UsageError(msg)
    real = (held_out @ training.T).max(axis=1)
    likeness = made @ training.T
    nearest = likeness.max(axis=1)
    threshold = float(np.quantile(real, _HELD_OUT_SHARE))
    suspects = tuple(
        (int(i), int(likeness[i].argmax())) for i in np.flatnonzero(nearest > threshold)
    )
    return CopyAudit(
        threshold=round(threshold, 4),
        copied=round(len(suspects) / len(made), 4),
        largest=round(float(nearest.max()), 4),
        median=round(float(np.median(nearest)), 4),
        median_held_out=round(float(np.median(real)), 4),
        suspects=suspects,
    )


def membership_auc(inside: Sequence[float], outside: Sequence[float]) -> float:
    """How well the loss tells training patches from others: 0.5 not at all, 1 surely.

    The share of pairs in which the training patch has the lower loss.

    >>> membership_auc([0.1, 0.2], [0.3, 0.4])
    1.0
    """
    ranks = rankdata(np.concatenate([inside, outside]))
    outer = ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2
    return float(outer / (len(inside) * len(outside)))
