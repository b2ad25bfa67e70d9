"""What a generator is told about each voxel: a class, and the mean brightness of that class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from surgplan.synthesis._noise import blur
from surgplan.synthesis._tissue import UNLABELLED, unlabelled_tissue
from surgplan.volume import ANATOMY, BOWEL, STOMACH

TISSUES: tuple[int, ...] = tuple(UNLABELLED)
CLASSES: tuple[int, ...] = (0, *(s.label for s in ANATOMY), *TISSUES)
"""Generation labels in the order of the channels of a generator; 0 lies outside of everything."""

EDGE_VOXELS = 0.5
_GAS_HU = -300.0
_INDEX = np.zeros(256, dtype=np.int64)
_INDEX[list(CLASSES)] = np.arange(len(CLASSES))


def with_tissue(
    labels: npt.NDArray[np.uint8], image_hu: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Labels of the anatomy vocabulary, the rest split by Hounsfield unit into `UNLABELLED`.

    Gas in stomach and bowel becomes air. Shapes ``(slice, row, column)``.
    """
    tissue = unlabelled_tissue(image_hu)
    gas = np.isin(labels, (STOMACH.label, BOWEL.label)) & (image_hu < _GAS_HU)
    mixed: npt.NDArray[np.uint8] = np.where((labels == 0) | gas, tissue, labels)
    return mixed


def class_index(labels: torch.Tensor) -> torch.Tensor:
    """Place of each generation label in `CLASSES`; unknown labels count as 0."""
    return torch.from_numpy(_INDEX)[labels.long()]


def one_hot(index: torch.Tensor, factor: int = 1) -> torch.Tensor:
    """Share of each class in blocks of ``factor`` voxels a side: ``(classes, s, r, c)``.

    ``index`` is ``(slice, row, column)``, each side a multiple of ``factor``.
    """
    shares = F.one_hot(index, len(CLASSES)).permute(3, 0, 1, 2).float()
    return shares if factor == 1 else F.avg_pool3d(shares[None], factor)[0]


def class_means(index: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Mean of the image in each class, ``(classes,)``; 0 where a class has no voxel."""
    flat = index.flatten()
    count = torch.bincount(flat, minlength=len(CLASSES)).clamp_min(1)
    total = torch.bincount(flat, weights=image.flatten().double(), minlength=len(CLASSES))
    return (total / count).float()


def mean_image(index: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Each voxel the mean of its class, edges as soft as a scanner's."""
    return blur(means[index], (EDGE_VOXELS,) * 3)
