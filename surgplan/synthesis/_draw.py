"""Domain randomisation: an image drawn from a label map alone.

After Billot et al., SynthSeg, 2023 (https://doi.org/10.1016/j.media.2023.102789), with contrast
phases of liver CT in place of part of the fully random contrasts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from surgplan.phantom import PHASES
from surgplan.synthesis._noise import blur, smooth, white
from surgplan.synthesis._phase import phase_means_hu
from surgplan.synthesis._tissue import UNLABELLED


@dataclass(frozen=True, kw_only=True)
class DrawSettings:
    """What drawn images look like.

    Attributes
    ----------
    ct_share
        How many images follow the contrast phases of CT; the others have random contrasts.
    noise_hu
        Largest spread of white noise.
    texture_hu
        Largest spread of texture inside a structure, at two scales.
    blur_voxels
        Largest blur in the slice plane; across slices up to twice as much.
    """

    ct_share: float = 0.7
    noise_hu: float = 28.0
    texture_hu: float = 14.0
    blur_voxels: float = 0.9


def draw_image(
    labels: torch.Tensor,
    settings: DrawSettings,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> tuple[torch.Tensor, bool]:
    """An image that fits a label map.

    Parameters
    ----------
    labels
        ``(slice, row, column)`` integers 0..255: the anatomy vocabulary, the tissues of
        `UNLABELLED`, and any other numbers for structures with a look of their own.
    settings
        See `DrawSettings`.
    rng, generator
        The only sources of chance.

    Returns
    -------
    image
        Same shape, float32, on the scale of Hounsfield units.
    is_ct
        False where the contrast is random and only ranks mean something.
    """
    is_ct = bool(rng.random() < settings.ct_share)
    means = _ct_means(rng) if is_ct else rng.uniform(-200, 300, 256)
    lookup = torch.from_numpy(np.asarray(means, dtype=np.float32))
    shape = (labels.shape[0], labels.shape[1], labels.shape[2])
    image = lookup[labels.long()]
    per_label = torch.from_numpy(rng.uniform(0, settings.texture_hu, 256).astype(np.float32))
    texture = 0.7 * smooth(shape, int(rng.integers(6, 24)), generator)
    texture += 0.7 * blur(white(shape, generator), (1.0, 1.0, 1.0)) * 6
    image += per_label[labels.long()] * texture
    if not is_ct:
        field = smooth(shape, int(rng.integers(2, 5)), generator) * float(rng.uniform(0, 0.25))
        image = (image + 250) * torch.exp(field) - 250
    in_plane = float(rng.uniform(0.2, settings.blur_voxels))
    image = blur(image, (float(rng.uniform(0.2, 2 * settings.blur_voxels)), in_plane, in_plane))
    image += white(shape, generator) * float(rng.uniform(2, settings.noise_hu))
    return image, is_ct


def _ct_means(rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean HU for all 256 numbers: known structures by phase, tissues by band, others soft."""
    means = rng.uniform(20, 120, 256)
    means[0] = -1000
    for label, (low, high) in UNLABELLED.items():
        means[label] = rng.uniform(low, high)
    for label, mean in phase_means_hu(str(rng.choice(PHASES)), rng).items():
        means[label] = mean
    return means
