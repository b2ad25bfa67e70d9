"""Livers with known segments, held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from surgplan.errors import NothingToDoError
from surgplan.io import read_couinaud, read_numbers
from surgplan.training._couinaud_settings import CouinaudSettings
from surgplan.volume import LIVER, Geometry, LabelMap, reorient

AXES = "SPL"
SMOOTH_VOXELS = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Liver:
    """One map of segments.

    Attributes
    ----------
    name
        Of the file.
    segments
        ``(slice, row, column)`` uint8, axes (superior, posterior, left).
    geometry
        Its grid.
    vessels
        How much of each voxel real vessels fill, or None where none are known.
    surface_mm
        ``(n, 3)`` some points of the liver's surface, LPS.
    """

    name: str
    segments: npt.NDArray[np.uint8]
    geometry: Geometry
    vessels: torch.Tensor | None
    surface_mm: npt.NDArray[np.float64]


def load_livers(settings: CouinaudSettings, folder: Path) -> tuple[list[Liver], list[Liver]]:
    """Livers to learn from, and those held out.

    Raises
    ------
    NothingToDoError
        If the pattern matches nothing.
    """
    paths = sorted(folder.glob(settings.segments))
    if len(paths) < settings.hold_out:
        msg = f"no {settings.hold_out} maps of segments match {folder / settings.segments}"
        raise NothingToDoError(msg)
    livers = [_load(path, settings, folder) for path in paths]
    held = set(range(settings.hold_out // 2, len(livers), settings.hold_out))
    return [v for i, v in enumerate(livers) if i not in held], [livers[i] for i in sorted(held)]


def _load(path: Path, settings: CouinaudSettings, folder: Path) -> Liver:
    found = reorient(read_couinaud(path), AXES)
    vessels = None
    if settings.vessels and (real := folder / settings.vessels / path.name).is_file():
        numbers, geometry = read_numbers(real)
        mask = LabelMap(array=(numbers > 0).astype(np.uint8), geometry=geometry, segments=(LIVER,))
        filled = reorient(mask, AXES).array.astype(np.float32)
        vessels = torch.from_numpy(ndimage.gaussian_filter(filled, SMOOTH_VOXELS))
    inside = found.array > 0
    surface = np.argwhere(inside & ~ndimage.binary_erosion(inside))
    return Liver(
        name=path.name.removesuffix(".nii.gz"),
        segments=found.array,
        geometry=found.geometry,
        vessels=vessels,
        surface_mm=found.geometry.to_lps(surface[:: max(1, len(surface) // 4000)]),
    )
