"""What a scan goes through before another people's network sees it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from surgplan.errors import InputRefusedError
from surgplan.volume import Modality


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Axes, spacing and intensities.

    Attributes
    ----------
    modality
        What the network was trained on.
    axes
        Where its three array axes point, see `Geometry.axis_codes`.
    spacing_mm
        Along these axes.
    clip
        Least and greatest value, or None.
    shift, factor
        A value becomes ``(value - shift) / factor``; None takes mean and standard deviation of
        the image.
    nonzero
        Whether that mean leaves out zeros, and zeros stay zero.
    """

    modality: Modality
    axes: str
    spacing_mm: tuple[float, float, float]
    clip: tuple[float, float] | None = None
    shift: float | None = None
    factor: float | None = None
    nonzero: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_mm", tuple(self.spacing_mm))
        object.__setattr__(self, "clip", tuple(self.clip) if self.clip else None)
        if len(self.spacing_mm) != 3 or min(self.spacing_mm) <= 0:
            msg = f"`spacing_mm` must be three positive numbers, got {self.spacing_mm}"
            raise InputRefusedError(msg)
        if self.factor == 0:
            msg = "`factor` must not be 0: the config scales all intensities to one value"
            raise InputRefusedError(msg)

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        """Intensities as the network sees them, float32."""
        image = image.float()
        if self.clip:
            image = image.clamp(*self.clip)
        if self.shift is not None and self.factor is not None:
            return (image - self.shift) / self.factor
        counted = image[image != 0] if self.nonzero else image
        mean, std = counted.mean(), counted.std(unbiased=False).clamp_min(1e-8)
        scaled = (image - mean) / std
        return torch.where(image != 0, scaled, image) if self.nonzero else scaled
