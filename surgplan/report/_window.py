"""Grey levels: which values of a scan are shown from black to white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Window:
    """Display window: level in the middle, width from black to white, and its unit."""

    level: float
    width: float
    unit: str

    def __str__(self) -> str:
        return f"window level {self.level:.0f}, width {self.width:.0f}{self.unit}"

    @property
    def limits(self) -> tuple[float, float]:
        """Values shown black and white."""
        return self.level - self.width / 2, self.level + self.width / 2


CT_LIVER = Window(level=80.0, width=320.0, unit=" HU")
"""Narrow enough to tell a hypodense tumour from enhanced parenchyma, wide enough for bone."""


def window_of(volume: Volume, liver: npt.NDArray[np.bool_]) -> Window:
    """The window for a scan: fixed for CT, after the liver and what lies in its box for MR."""
    if volume.modality == "CT":
        return CT_LIVER
    values = volume.array[liver] if liver.any() else volume.array
    low = float(np.percentile(volume.array, 2))
    high = float(np.percentile(values, 98)) * 1.4
    width = max(high - low, 1.0)
    return Window(level=low + width / 2, width=width, unit="")
