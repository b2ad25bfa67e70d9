"""How fast synthetic scans are made, and in how much memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch

from surgplan.synthesis import (
    SampleSettings,
    Scene,
    VolumeSettings,
    find_generator,
    generate,
    load_generator,
    synthesise,
)

SHAPE = (96, 128, 128)
AS_MANY_MM = 2.55
"""Voxel size at which a drawn scan of a phantom has as many voxels as `SHAPE`."""

DRAWN = 8


def speed(name: str | None, spacing_mm: float) -> dict[str, Any]:
    """Seconds for `SHAPE` by the flow and for as many voxels by chance, one thread each.

    Wall-clock time counts what else the machine does; processor time does not.
    """
    drawn = _alone(_drawn_scans)
    flow = _alone(_flow, name, spacing_mm)
    return {"shape": list(SHAPE), **drawn, **flow}


def _alone(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """In a process of its own, so that its peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    start, busy = time.perf_counter(), time.process_time()
    run()
    return round(time.perf_counter() - start, 2), round(time.process_time() - busy, 2)


def _peak_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2)


def _drawn_scans() -> dict[str, Any]:
    """Whole scans by domain randomisation: person, up to four lesions, image."""
    torch.set_num_threads(1)
    settings = VolumeSettings(spacing_mm=AS_MANY_MM, bodies=1)
    synthesise(settings, seed=0)  # the phantom itself is made once

    def draw() -> None:
        for number in range(1, DRAWN + 1):
            synthesise(settings, seed=0, number=number)

    wall, processor = _timed(draw)
    return {
        "randomised_volume_s": round(wall / DRAWN, 2),
        "randomised_volume_processor_s": round(processor / DRAWN, 2),
        "randomised_peak_gb": _peak_gb(),
    }


def _flow(name: str | None, spacing_mm: float) -> dict[str, Any]:
    """Ten steps, and by the time of one step a thousand."""
    torch.set_num_threads(1)
    generator = load_generator(find_generator(name))
    index = torch.ones(SHAPE, dtype=torch.long)
    scene = Scene(
        ideal=torch.full(index.shape, 100.0), index=index, look="portal",
        voxel_mm=spacing_mm, thickness_mm=spacing_mm,
    )  # fmt: skip
    chance = torch.Generator().manual_seed(0)
    generate(generator, scene, SampleSettings(steps=1), chance)
    one = _timed(lambda: generate(generator, scene, SampleSettings(steps=1), chance))
    ten = _timed(lambda: generate(generator, scene, SampleSettings(steps=10), chance))
    step = (ten[1] - one[1]) / 9
    return {
        "flow_10_steps_s": ten[0],
        "flow_10_steps_processor_s": ten[1],
        "flow_1000_steps_processor_s_from_one_step": round(one[1] + 999 * step),
        "flow_peak_gb": _peak_gb(),
    }
