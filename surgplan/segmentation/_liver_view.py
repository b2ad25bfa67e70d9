"""What the network that looks inside the liver sees."""

from __future__ import annotations

import torch

LIVER_CHANNELS = 3
MAGNIFICATION = 3.0


def liver_view(image: torch.Tensor, liver: torch.Tensor) -> torch.Tensor:
    """The image, its difference to the parenchyma, and where the liver was found.

    Parameters
    ----------
    image
        ``(slice, row, column)`` in -1..1, as `normalise` makes it.
    liver
        Same shape, bool: the whole liver as a coarser network found it.

    Returns
    -------
    torch.Tensor
        ``(3, slice, row, column)`` float32 in -1..1. The second channel is the difference to the
        median inside the liver, `MAGNIFICATION` times as large (80 HU fill it in CT) and clipped;
        0 where no liver was found.
    """
    relative = torch.zeros_like(image)
    if bool(liver.any()):
        relative = ((image - image[liver].median()) * MAGNIFICATION).clamp(-1, 1)
    return torch.stack([image, relative, liver.float() * 2 - 1])
