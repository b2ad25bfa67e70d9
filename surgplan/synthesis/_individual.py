"""One person out of a body: sex, size, liver volume, cirrhosis, and a smooth change of shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage

from surgplan.errors import UsageError
from surgplan.synthesis._body import Body
from surgplan.volume import LIVER, SPLEEN, Geometry

CONDITIONS = ("normal", "steatosis", "cirrhosis")
SEXES = ("female", "male")

_SEX_SCALE = {"female": (0.93, 0.94, 0.97), "male": (1.03, 1.03, 1.02)}  # x, y, z
_LIVER_ML = {"female": (1300.0, 220.0), "male": (1550.0, 260.0)}
_NODULES_MM = (2.2, 7.0)  # height and width of the nodules of a cirrhotic liver
_FALLS_MM = 75.0

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PersonSettings:
    """Whom to make; None draws.

    Attributes
    ----------
    sex
        ``'female'`` or ``'male'``: proportions, and the mean of the liver volume.
    size
        Of the body against the average of the sex, 0.8 to 1.25.
    liver_ml
        Volume of the whole liver, 600 to 3500 ml, met within about 2 percent.
    condition
        ``'normal'``, ``'steatosis'`` (a dark liver with bright vessels) or ``'cirrhosis'``
        (nodular and coarse, smaller, with a large spleen).
    """

    sex: str | None = None
    size: float | None = None
    liver_ml: float | None = None
    condition: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in (("sex", SEXES), ("condition", CONDITIONS)):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                msg = f"`{name}` must be one of {', '.join(allowed)}, got {value!r}"
                raise UsageError(msg)
        for name, low, high in (("size", 0.8, 1.25), ("liver_ml", 600, 3500)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                msg = f"`{name}` must lie in {low}..{high}, got {value}"
                raise UsageError(msg)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody: `PersonSettings` with everything decided."""

    sex: str
    size: float
    liver_ml: float
    condition: str
    bends_mm: float

    @classmethod
    def draw(cls, settings: PersonSettings, rng: np.random.Generator) -> Person:
        """A seeded person within the settings; each value drawn whether it is asked for or not."""
        sex = str(rng.choice(SEXES))
        size = float(np.clip(rng.normal(1, 0.05), 0.88, 1.14))
        condition = str(rng.choice(CONDITIONS, p=(0.7, 0.18, 0.12)))
        spread = float(np.clip(rng.normal(), -2, 2))
        sex = settings.sex or sex
        size = settings.size or size
        condition = settings.condition or condition
        mean, sigma = _LIVER_ML[sex]
        factor = {"normal": 1.0, "steatosis": 1.12, "cirrhosis": 0.85}[condition]
        drawn = (mean + sigma * spread) * size**2 * factor
        return cls(
            sex=sex,
            size=size,
            liver_ml=settings.liver_ml or float(np.clip(drawn, 650, 3300)),
            condition=condition,
            bends_mm=float(rng.uniform(1.0, 5.0)),
        )


def individual(
    body: Body, person: Person, grid: Geometry, rng: np.random.Generator, *, exact: bool = False
) -> npt.NDArray[np.uint8]:
    """Generation labels of a person on a grid, read from the body at warped points.

    ``exact`` keeps the body as it is and only samples it.
    """
    if exact:
        return _read(body, _points(grid))
    bends = _bends(person, grid, rng)
    middle = body.geometry.centre_mm
    scale = np.array(_SEX_SCALE[person.sex]) * person.size
    places = {
        segment.label: body.geometry.to_lps(np.argwhere(body.labels == segment.label).mean(axis=0))
        for segment in (LIVER, SPLEEN)
        if (body.labels == segment.label).any()
    }
    points = (_points(grid) + bends - middle) / scale + middle
    if SPLEEN.label in places and person.condition == "cirrhosis":
        points = _swollen(points, places[SPLEEN.label], 1.22, 55.0)
    if LIVER.label in places:
        growth = _growth(body, person, grid, points, places[LIVER.label])
        points = _swollen(points, places[LIVER.label], growth, _FALLS_MM)
    if person.condition == "cirrhosis":
        points = _nodular(body, grid, points, rng)
    return _read(body, points)


def _growth(body: Body, person: Person, grid: Geometry, points: Points, at: Points) -> float:
    """The swelling that gives the liver its volume, by secants on every other voxel."""
    coarse = points[::2, ::2, ::2]
    voxel_ml = grid.voxel_volume_mm3 * 8 / 1000

    def volume(growth: float) -> float:
        labels = _read(body, _swollen(coarse, at, growth, _FALLS_MM))
        return float(np.isin(labels, (1, 2, 16)).sum()) * voxel_ml * 1.035  # and its vessels

    growth, low, high = 1.0, 0.72, 1.4
    for _ in range(6):
        now = volume(growth)
        if now <= 0 or abs(now / person.liver_ml - 1) < 0.01:
            break
        growth = float(np.clip(growth * (person.liver_ml / now) ** 0.4, low, high))
    return growth


def _swollen(points: Points, at: Points, factor: float, falls_mm: float) -> Points:
    """Where the tissue at each point comes from when what lies around ``at`` grows."""
    offset = points - at
    weight = np.exp(-0.5 * (offset**2).sum(axis=-1, keepdims=True) / falls_mm**2)
    moved: Points = points - offset * (1 - 1 / factor) * weight
    return moved


def _points(grid: Geometry) -> Points:
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    return grid.to_lps(index)


def _bends(person: Person, grid: Geometry, rng: np.random.Generator) -> Points:
    """Smooth shifts in mm."""
    waves = rng.normal(0, 1, (3, 6, 6, 6))
    return _stretched(waves, grid.shape) * person.bends_mm


def _nodular(body: Body, grid: Geometry, points: Points, rng: np.random.Generator) -> Points:
    """Points shifted so that the surface of the liver, and nothing far from it, is nodular."""
    height, width = _NODULES_MM
    liver = (_read(body, points) == LIVER.label).astype(np.float32)
    weight = ndimage.gaussian_filter(liver, [4.0 / s for s in grid.spacing_mm])
    sigma = [width / 2.2 / s for s in grid.spacing_mm]
    shifts = np.empty(points.shape)
    for axis in range(3):
        noise = ndimage.gaussian_filter(rng.standard_normal(grid.shape).astype(np.float32), sigma)
        shifts[..., axis] = height * noise / noise.std() * np.minimum(1, 2 * weight)
    return points + shifts


def _stretched(coarse: Points, shape: tuple[int, int, int]) -> Points:
    """Linear interpolation of coarse grids ``(n, ...)`` over the whole of another, ``(..., n)``."""
    grids = torch.from_numpy(coarse.astype(np.float32))[None]
    fine = F.interpolate(grids, size=shape, mode="trilinear", align_corners=True)
    spread: Points = fine[0].permute(1, 2, 3, 0).numpy().astype(np.float64)
    return spread


def _read(body: Body, points: Points) -> npt.NDArray[np.uint8]:
    """The nearest label at LPS points ``(..., 3)``; beyond the body, that of its last voxel."""
    index = np.rint(body.geometry.to_index(points)).astype(np.int32)
    index = np.clip(index, 0, np.array(body.geometry.shape) - 1)
    labels: npt.NDArray[np.uint8] = body.labels[index[..., 0], index[..., 1], index[..., 2]]
    return labels
