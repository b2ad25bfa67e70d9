"""Sampling: remainders from noise, from another scan, or from the autoencoder alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

from surgplan.errors import UsageError
from surgplan.segmentation import mixed_precision
from surgplan.synthesis._brightness import MR_WHITE
from surgplan.synthesis._classes import class_means, one_hot
from surgplan.synthesis._generator import (
    FACTOR,
    LOOKS,
    REMAINDER_HU,
    STEPS,
    condition,
    pack,
    remainder,
    training_scheduler,
    unpack,
)
from surgplan.synthesis._generator_bundle import Generator
from surgplan.synthesis._noise import blur

_MULTIPLE = 2 * FACTOR
_EDGE = 0.5
_MR_BLACK, _MR_GREY = -200.0, -80.0


@dataclass(frozen=True, kw_only=True)
class SampleSettings:
    """How a generator is sampled.

    Attributes
    ----------
    steps
        Network passes; 10 are enough for a flow, a DDPM takes all 1000 and an adversarial
        generator one, whatever stands here.
    use_flow
        False leaves the flow out: noise is decoded as it is (for comparison).
    strength
        1 starts from noise; less starts from the remainder of a given scan, which then shows
        through.
    noise
        Whether the noise that the autoencoder cannot carry is put back.
    """

    steps: int = 10
    use_flow: bool = True
    strength: float = 1.0
    noise: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= STEPS or not 0 < self.strength <= 1:
            msg = f"`steps` must lie in 1..{STEPS} and `strength` in 0..1, got {self}"
            raise UsageError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What an image shall show.

    Attributes
    ----------
    ideal
        ``(slice, row, column)`` float32: every voxel as bright as its class, lesions painted in;
        Hounsfield units, or MR on their scale (`mr_as_hu`).
    index
        Place in `CLASSES`, same shape.
    look
        One of `LOOKS`.
    voxel_mm, thickness_mm
        Voxel size, and thickness of the slices.
    """

    ideal: torch.Tensor
    index: torch.Tensor
    look: str
    voxel_mm: float
    thickness_mm: float

    @property
    def means(self) -> torch.Tensor:
        """The ideal image with edges as soft as a scanner's."""
        return blur(self.ideal, (_EDGE,) * 3)


def mr_as_hu(image: torch.Tensor) -> torch.Tensor:
    """MR intensity on the scale of generators: black -200, `MR_WHITE` 300."""
    return image / MR_WHITE * 500 - 200


def hu_as_mr(image: torch.Tensor) -> torch.Tensor:
    """The inverse of `mr_as_hu`; never negative."""
    return ((image + 200) / 500 * MR_WHITE).clamp_min(0)


def generate(
    generator: Generator,
    scene: Scene,
    settings: SampleSettings,
    chance: torch.Generator,
    *,
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """An image of a scene.

    Parameters
    ----------
    generator
        The networks.
    scene
        What to show.
    settings
        See `SampleSettings`.
    chance
        The only source of chance.
    start
        Remainder of another image (`remainder`) to start from, where ``strength`` is below 1.

    Returns
    -------
    torch.Tensor
        ``(slice, row, column)`` float32; the mean over each class is the one of the ideal image.
    """
    shape = scene.ideal.shape
    means, index = _padded(scene.means), _padded(scene.index.float()).long()
    given = condition(one_hot(index, FACTOR), means, scene.thickness_mm, scene.voxel_mm)
    with torch.inference_mode():
        latent = _latent(generator, given, scene.look, settings, chance, start)
        with mixed_precision("cpu"):
            decoded = generator.autoencoder.decode(latent / generator.scale)
        rest = unpack(decoded.float())[tuple(slice(0, n) for n in shape)] * REMAINDER_HU
    if settings.noise:
        rest = rest + _noise(generator, scene, chance)
    if scene.look == "MR":
        rest = rest * _shown_in_mr(scene.means)
    image: torch.Tensor = scene.means + centred(rest, scene.index)
    return image


def _shown_in_mr(means: torch.Tensor) -> torch.Tensor:
    """Share of a remainder that is kept: where no signal comes from, air above all, next to none.

    The networks learned air from CT, where it has streaks that nobody sees.
    """
    return ((means - _MR_BLACK) / (_MR_GREY - _MR_BLACK)).clamp(0.08, 1.0)


def centred(rest: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """A remainder whose mean over every class is 0, so that brightness is as asked for."""
    shift = class_means(index, rest)
    return rest - shift[index]


def _latent(
    generator: Generator,
    given: torch.Tensor,
    look: str,
    settings: SampleSettings,
    chance: torch.Generator,
    start: torch.Tensor | None,
) -> torch.Tensor:
    shape = (1, generator.settings.latent, *given.shape[2:])
    noise = torch.randn(shape, generator=chance)
    if not settings.use_flow:
        return noise
    if generator.settings.sampler == "adversarial":
        return _pass(generator, noise, given, 0, look)
    first, latent = STEPS, noise
    scheduler = training_scheduler(generator.settings)
    if start is not None and settings.strength < 1:
        first = max(1, round(settings.strength * STEPS))
        known = generator.autoencoder.encode(pack(_padded(start)))[0]
        at = torch.tensor([min(first, STEPS - 1)])
        latent = scheduler.add_noise(
            original_samples=generator.scale * known, noise=noise, timesteps=at
        )
    scheduler.set_timesteps(STEPS if generator.settings.sampler == "ddpm" else settings.steps)
    times = np.linspace(first, 0, settings.steps + 1).round().astype(int)
    if generator.settings.sampler == "ddpm":
        times = np.arange(first - 1, -2, -1)
    for now, following in pairwise(times.tolist()):
        found = _pass(generator, latent, given, now, look)
        if generator.settings.sampler == "ddpm":
            latent, _ = scheduler.step(found, now, latent, generator=chance)
        else:
            latent, _ = scheduler.step(found, now, latent, next_timestep=following)
    return latent


def _pass(
    generator: Generator, latent: torch.Tensor, given: torch.Tensor, now: int, look: str
) -> torch.Tensor:
    kind = torch.tensor([LOOKS.index(look)])
    with mixed_precision("cpu"):
        found: torch.Tensor = generator.flow(
            torch.cat([latent, given], dim=1), torch.tensor([now]), class_labels=kind
        )
    return found.float()


def _noise(generator: Generator, scene: Scene, chance: torch.Generator) -> torch.Tensor:
    shape = (scene.ideal.shape[0], scene.ideal.shape[1], scene.ideal.shape[2])
    look = LOOKS.index(scene.look)
    return generator.noise_shape[look].draw(shape, chance) * generator.noise[look][scene.index]


def _padded(image: torch.Tensor) -> torch.Tensor:
    """The image with its last planes repeated up to the next multiple of what networks need."""
    pad = [-n % _MULTIPLE for n in image.shape]
    flat = [x for p in pad[::-1] for x in (0, p)]
    return F.pad(image[None, None], flat, mode="replicate")[0, 0]


def change_look(
    generator: Generator,
    image: torch.Tensor,
    scene: Scene,
    settings: SampleSettings,
    chance: torch.Generator,
) -> torch.Tensor:
    """A scan as another modality or phase would show it.

    Parameters
    ----------
    generator
        The networks.
    image
        ``(slice, row, column)`` of the scan, on the scale of generators.
    scene
        What the new image shall show: same grid and classes, other brightness and look.
    settings, chance
        As in `generate`; ``strength`` says how much of the scan's own texture is given up.
    """
    old = blur(class_means(scene.index, image)[scene.index], (_EDGE,) * 3)
    return generate(generator, scene, settings, chance, start=remainder(image, old))
