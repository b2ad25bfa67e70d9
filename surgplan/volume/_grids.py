"""Moving volumes and label maps between grids. Type decides: label maps are never blended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from surgplan.errors import UsageError
from surgplan.volume._geometry import Geometry
from surgplan.volume._label_map import LabelMap
from surgplan.volume._volume import Volume

Image = TypeVar("Image", Volume, LabelMap)


def reorient(image: Image, axis_codes: str) -> Image:
    """Permute and flip axes so that they point as asked, without touching a voxel value.

    Parameters
    ----------
    image
        Volume or label map on any grid.
    axis_codes
        One letter per array axis, for example ``'SPL'``; see `Geometry.axis_codes`.

    Raises
    ------
    UsageError
        If the codes are not one each of L/R, P/A and S/I.
    """
    world = {c: i for i, pair in enumerate(("LR", "PA", "SI")) for c in pair}
    if len(axis_codes) != 3 or sorted(world.get(c, -1) for c in axis_codes) != [0, 1, 2]:
        msg = f"`axis_codes` must be one each of L/R, P/A and S/I, got {axis_codes!r}"
        raise UsageError(msg)
    old = image.geometry.axis_codes
    old_world = [world[c] for c in old]
    order: list[int] = [old_world.index(world[c]) for c in axis_codes]
    affine = image.geometry.affine[:, np.array([*order, 3])]
    array = image.array.transpose(order)
    for axis, code in enumerate(axis_codes):
        if old[order[axis]] != code:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    return replace(image, array=array, geometry=Geometry(shape=array.shape, affine=affine))


def crop(image: Image, box: tuple[slice, slice, slice]) -> Image:
    """The part inside a box of array slices (step 1); voxels stay where they are in the patient.

    Raises
    ------
    UsageError
        If the box is empty, reaches outside the image or has another step.
    """
    if any(s.step not in (None, 1) for s in box):
        msg = f"`box` must have step 1, got {box}; for another spacing use volume.resample_to"
        raise UsageError(msg)
    start = [s.start or 0 for s in box]
    stop = [n if s.stop is None else s.stop for s, n in zip(box, image.array.shape, strict=True)]
    inside = all(0 <= a < b <= n for a, b, n in zip(start, stop, image.array.shape, strict=True))
    if not inside:
        msg = f"`box` must lie inside shape {image.array.shape}, got {start} to {stop}"
        raise UsageError(msg)
    window = image.geometry.window((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    return replace(image, array=image.array[tuple(map(slice, start, stop))], geometry=window)


def resample_to(image: Image, geometry: Geometry) -> Image:
    """The image on another grid, through physical space; any affine, sheared ones too.

    A volume is blended linearly (float32), after a Gaussian blur along those axes on which the new
    grid is coarser (sigma of half the missing resolution); outside it is `Volume.background`.
    A label map takes the nearest voxel; outside it is 0.
    """
    if image.geometry.matches(geometry, atol_mm=1e-6):
        return replace(image, geometry=geometry)
    if isinstance(image, LabelMap):
        array = _resample(image.array, image.geometry, geometry, sitk.sitkNearestNeighbor, 0)
        return replace(image, array=array, geometry=geometry)
    smooth = _antialias(image.array, image.geometry, geometry)
    array = _resample(smooth, image.geometry, geometry, sitk.sitkLinear, image.background)
    return replace(image, array=array, geometry=geometry)


def _antialias(
    array: npt.NDArray[Any], source: Geometry, target: Geometry
) -> npt.NDArray[np.float32]:
    step = np.linalg.inv(source.affine[:3, :3]) @ target.affine[:3, :3]
    factors = np.abs(step).max(axis=1)  # target voxel measured in source voxels, per source axis
    image = sitk.GetImageFromArray(array.astype(np.float32))
    for axis, factor in enumerate(factors):
        if factor > 1.01 and array.shape[axis] > 4:
            sigma = 0.5 * float(np.sqrt(factor**2 - 1))
            image = sitk.RecursiveGaussian(image, sigma=sigma, direction=2 - axis)
    smooth: npt.NDArray[np.float32] = sitk.GetArrayFromImage(image)
    return smooth


def _resample(
    array: npt.NDArray[Any], source: Geometry, target: Geometry, how: int, outside: float
) -> npt.NDArray[Any]:
    """Resample in index space, where every grid is straight and ITK refuses none."""
    step = np.linalg.inv(source.affine) @ target.affine
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(step[:3, :3][::-1, ::-1].ravel().tolist())
    transform.SetTranslation(step[:3, 3][::-1].tolist())
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize([int(n) for n in target.shape[::-1]])
    resampler.SetTransform(transform)
    resampler.SetInterpolator(how)
    resampler.SetDefaultPixelValue(outside)
    result: npt.NDArray[Any] = sitk.GetArrayFromImage(resampler.Execute(image))
    return result
