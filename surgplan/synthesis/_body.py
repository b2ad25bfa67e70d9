"""Bodies to make images of: a phantom, a given label map, or a phantom around a given liver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy.ndimage import map_coordinates

from surgplan.errors import UsageError
from surgplan.phantom import CtSettings, PhantomSettings, make_phantom, render_ct
from surgplan.synthesis._classes import with_tissue
from surgplan.volume import (
    ANATOMY,
    HEPATIC_VEINS,
    LIVER,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    close_mm,
    distance_outside_mm,
    resample_to,
)

BODY_SPACING_MM = 2.5
_EXTENT_MM = (250.0, 290.0, 360.0)
_CENTRE_MM = (0.0, -1.0, 2.0)
_AIR, _FAT, _FLUID, _SOFT = 200, 201, 202, 203
_FIT_MM = 6.0
_SKIN_MM = 14.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Body:
    """What an image is made of.

    Attributes
    ----------
    labels
        ``(slice, row, column)`` uint8 generation labels: the anatomy vocabulary, and the tissues
        `UNLABELLED` for what it does not name.
    geometry
        Where the voxels lie; perpendicular axes.
    source
        Where it comes from, in words.
    """

    labels: npt.NDArray[np.uint8]
    geometry: Geometry
    source: str

    def __post_init__(self) -> None:
        if not self.geometry.is_orthogonal:
            msg = "a body needs a grid with perpendicular axes; resample the label map first"
            raise UsageError(msg)
        labels = np.array(self.labels, dtype=np.uint8)
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)

    @property
    def label_map(self) -> LabelMap:
        """The labels of the anatomy vocabulary alone."""
        return anatomy_of(self.labels, self.geometry)


def anatomy_of(labels: npt.NDArray[np.uint8], geometry: Geometry) -> LabelMap:
    """Generation labels without the tissues that are no structure."""
    array = np.where(labels <= len(ANATOMY), labels, 0).astype(np.uint8)
    return LabelMap(array=array, geometry=geometry, segments=ANATOMY)


@lru_cache(maxsize=4)
def phantom_body(seed: int) -> Body:
    """The phantom of a seed without lesions, its unlabelled tissue told apart by density."""
    counts = [round(extent / BODY_SPACING_MM) for extent in _EXTENT_MM]
    origin = [
        c - BODY_SPACING_MM * (n - 1) / 2 for c, n in zip(_CENTRE_MM, counts[::-1], strict=True)
    ]
    grid = Geometry.from_spacing(
        shape=(counts[0], counts[1], counts[2]),
        spacing_mm=(BODY_SPACING_MM,) * 3,
        origin_mm=(origin[0], origin[1], origin[2]),
    )
    phantom = make_phantom(PhantomSettings(seed=seed, lesions=0, geometry=grid))
    how = CtSettings(phase="native", noise_hu=0.0, psf_mm=0.75, table=False)
    density = render_ct(phantom, seed=seed, settings=how).array.astype(np.float32)
    labels = with_tissue(phantom.label_map.array, density)
    return Body(labels=labels, geometry=grid, source=f"phantom {seed}")


def body_of(label_map: LabelMap, source: str) -> Body:
    """A body of a label map alone; what it does not name is guessed from the distance to it.

    Between the structures lie fat and soft tissue, around all of them a layer of fat and skin, and
    around that air.
    """
    labelled = label_map.array > 0
    if not labelled.any():
        msg = f"{source} has no structure to make an image of"
        raise UsageError(msg)
    grid = label_map.geometry
    outside = distance_outside_mm(close_mm(labelled, grid, radius_mm=30.0), grid)
    near = distance_outside_mm(labelled, grid)
    labels = np.where(near < 4.0, _FAT, _SOFT).astype(np.uint8)
    labels[near > 18.0] = _FAT
    labels[outside > 6.0] = _SOFT
    labels[outside > 12.0] = _FAT
    labels[outside > 12.0 + _SKIN_MM] = _AIR
    labels[labelled] = label_map.array[labelled]
    return Body(labels=labels, geometry=grid, source=source)


def around_liver(body: Body, liver: LabelMap, source: str) -> Body:
    """The body bent until its liver is the given one, whose shape is kept exactly.

    The liver, placed centre on centre, is the fixed image of a diffeomorphic demons registration
    of distance maps (Vercauteren et al. 2009, https://doi.org/10.1016/j.neuroimage.2008.10.040);
    organs and vessels follow the bend.

    Parameters
    ----------
    body
        With a liver of its own.
    liver
        Any label map whose whole liver gives the shape; Couinaud segments count as liver.
    source
        Stands in `Body.source`.
    """
    grid = body.geometry
    wanted = _placed(liver, body)
    field = _bend(_liver_of(body), wanted, grid)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    moved = np.rint(grid.to_index(grid.to_lps(index) + field)).astype(int)
    moved = np.clip(moved, 0, np.array(grid.shape) - 1)
    labels = body.labels[tuple(np.moveaxis(moved, -1, 0))].copy()
    inner = (LIVER.label, PORTAL_VEIN.label, HEPATIC_VEINS.label)
    labels[(labels == LIVER.label) & ~wanted] = _FAT
    labels[wanted & ~np.isin(labels, inner)] = LIVER.label
    return replace(body, labels=labels, source=source)


def _liver_of(body: Body) -> npt.NDArray[np.bool_]:
    return body.label_map.whole_liver()


def _placed(liver: LabelMap, body: Body) -> npt.NDArray[np.bool_]:
    """The given liver on the body's grid, its middle on the middle of the body's liver."""
    known = liver.find(LIVER.code) is not None
    mask = liver.whole_liver() if known else liver.array > 0
    if not mask.any():
        msg = "the label map has no liver to take the shape of"
        raise UsageError(msg)
    shift = body.geometry.to_lps(np.argwhere(_liver_of(body)).mean(axis=0))
    shift = shift - liver.geometry.to_lps(np.argwhere(mask).mean(axis=0))
    affine = liver.geometry.affine.copy()
    affine[:3, 3] += shift
    moved = LabelMap(
        array=mask.astype(np.uint8),
        geometry=Geometry(shape=liver.geometry.shape, affine=affine),
        segments=(LIVER,),
    )
    return resample_to(moved, body.geometry).array > 0


def _bend(
    old: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_], grid: Geometry
) -> npt.NDArray[np.float64]:
    """LPS shifts ``(slice, row, column, 3)`` that lead from the new liver into the old one."""
    factors = [max(1, round(_FIT_MM / s)) for s in grid.spacing_mm]
    step = tuple(slice(None, None, f) for f in factors)
    maps = [_distance_image(mask, grid, step) for mask in (new, old)]
    demons = sitk.DiffeomorphicDemonsRegistrationFilter()
    demons.SetNumberOfIterations(60)
    demons.SetStandardDeviations(1.5)
    demons.SmoothDisplacementFieldOn()
    field = sitk.GetArrayFromImage(demons.Execute(*maps))  # (s, r, c, (column, row, slice)) in mm
    rows = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"))
    coarse = rows / np.array(factors).reshape(3, 1, 1, 1)
    fine = np.stack(
        [map_coordinates(field[..., k], coarse, order=1, mode="nearest") for k in range(3)],
        axis=-1,
    )
    along: npt.NDArray[np.float64] = fine[..., ::-1] @ grid.directions.T
    return along


def _distance_image(
    mask: npt.NDArray[np.bool_], grid: Geometry, step: tuple[slice, ...]
) -> sitk.Image:
    signed = distance_outside_mm(mask, grid) - distance_outside_mm(~mask, grid)
    image = sitk.GetImageFromArray(np.clip(signed, -25, 40)[step].astype(np.float32))
    image.SetSpacing(
        [s * (k.step or 1) for s, k in zip(grid.spacing_mm[::-1], step[::-1], strict=True)]
    )
    return image
