"""What a scan will take in memory, asked before the work begins."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path

from surgplan.errors import ResourceLimitError
from surgplan.segmentation._bundle import ModelInfo
from surgplan.segmentation._resample import SLAB_VOXELS
from surgplan.volume import Geometry, Volume

_LARGEST_LIVER_MM3 = 280.0 * 240.0 * 240.0  # the box around it with its margin


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """Bytes at the peak, by the way the work is done.

    Attributes
    ----------
    whole
        Scores of the whole scan are kept, looked at again and cleared of fragments.
    passing
        Labels are made while the windows pass; scores are not kept.
    """

    whole: int
    passing: int

    @classmethod
    def of(
        cls, info: ModelInfo, second: ModelInfo | None, volume: Volume, grid: Geometry
    ) -> MemoryNeed:
        """For a scan that is already in memory and a model that is not."""
        classes, voxels = info.network.classes, prod(grid.shape)
        native = prod(volume.geometry.shape)
        # Turned copy, labels, their copy and confidence; the image and its padded copy.
        base = _resident() + native * (volume.array.itemsize + 6) + 8 * voxels + 150_000_000
        window = _activations(info)
        resampling = 8 * min(native, SLAB_VOXELS)
        band = 8 * classes * prod((min(info.window[0], grid.shape[0]), *grid.shape[1:]))
        whole = window + 4 * classes * voxels + band
        if second is not None:
            fine = int(_LARGEST_LIVER_MM3 / second.spacing_mm**3)
            whole = max(whole, 4 * classes * (voxels + 5 * fine) + _activations(second))
        return cls(
            whole=base + max(resampling, whole), passing=base + max(resampling, window + band)
        )

    def keeps_scores(self, limit_bytes: int | None, volume: Volume) -> bool:
        """Whether scores of the whole scan may be kept.

        Raises
        ------
        ResourceLimitError
            If not even labels made while the windows pass fit.
        """
        if limit_bytes is None or self.whole <= limit_bytes:
            return True
        if self.passing <= limit_bytes:
            return False
        msg = (
            f"segmenting {volume.geometry.shape} needs about {self.passing / 1e9:.1f} GB, allowed "
            f"are {limit_bytes / 1e9:.1f} GB; raise --max-memory or crop the scan"
        )
        raise ResourceLimitError(msg)


def _activations(info: ModelInfo) -> int:
    return 4 * prod(info.window) * (8 * info.network.filters[0] + 3 * info.network.classes)


def _resident() -> int:
    """Bytes that the process holds now; its peak where the system does not tell."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
