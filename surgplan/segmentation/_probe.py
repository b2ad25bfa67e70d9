"""Which engine is fastest for a network on this machine: measured once, remembered on disk."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import metadata
from importlib.util import find_spec

import torch
from platformdirs import user_cache_path

from surgplan.segmentation._engine import REFERENCE, Engine, engines, start

LEAST_AGREEMENT = 0.99
"""Share of the voxels of a window of noise, where scores lie closest, with equal labels."""
HOPELESS = 2.5
"""Times slower in its first window than the best so far: not measured again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What an engine took.

    Attributes
    ----------
    engine
        The engine.
    start_s
        Seconds to make it ready.
    window_s
        Seconds for one window.
    agreement
        Share of voxels with the same label as the reference.
    """

    engine: Engine
    start_s: float
    window_s: float
    agreement: float

    def seconds(self, windows: int) -> float:
        """For a scan of so many windows."""
        return self.start_s + windows * self.window_s


def fastest(timings: Sequence[Timing], windows: int) -> Timing:
    """The engine that has a scan of so many windows done first."""
    return min(timings, key=lambda t: t.seconds(windows))


def timings_for(network: torch.nn.Module, name: str, shape: tuple[int, ...]) -> tuple[Timing, ...]:
    """What each engine took for this network here, from an earlier run or measured now.

    Parameters
    ----------
    network
        In evaluation mode on the processor.
    name
        Sha256 of its weights.
    shape
        Of one batch: ``(1, channels, slice, row, column)``.
    """
    path = user_cache_path("surgplan") / "engines" / f"{_key(name, shape)}.json"
    try:
        rows = json.loads(path.read_text())
        return tuple(Timing(**{**row, "engine": Engine(**row["engine"])}) for row in rows)
    except (OSError, ValueError, TypeError, KeyError):
        measured = measure(network, shape)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps([asdict(t) for t in measured], indent=1))
        fresh.replace(path)
    except OSError as e:  # measured again next time
        log.info("engine timings were not kept: %s", e)
    return measured


def measure(network: torch.nn.Module, shape: tuple[int, ...]) -> tuple[Timing, ...]:
    """Run one window of noise through every engine; those that do not agree are left out."""
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    best = float("inf")
    expected: torch.Tensor | None = None
    found = []
    with torch.inference_mode():
        for engine in engines():
            begin = time.perf_counter()
            try:
                forward = start(network, engine, shape)
            except RuntimeError as e:  # a layer that the engine does not know
                log.info("%s cannot run this network: %s", engine, e)
                continue
            ready = time.perf_counter()
            labels = forward(noise).argmax(dim=1)
            first = window_s = time.perf_counter() - ready
            if expected is None or first < HOPELESS * best:
                again = time.perf_counter()
                forward(noise)
                window_s = min(first, time.perf_counter() - again)
            if engine == REFERENCE:
                expected = labels
            best = min(best, window_s)
            agreement = 1.0 if expected is None else float((labels == expected).float().mean())
            if agreement >= LEAST_AGREEMENT:
                taken = ready - begin, window_s, agreement
                found.append(
                    Timing(engine=engine, start_s=taken[0], window_s=taken[1], agreement=taken[2])
                )
    return tuple(found)


def _key(name: str, shape: tuple[int, ...]) -> str:
    """Changes with everything that the timings depend on."""
    versions = [metadata.version(m) for m in ("torch", "openvino") if find_spec(m)]
    machine = (platform.machine(), platform.processor(), os.cpu_count(), torch.get_num_threads())
    return sha256(repr((name, shape, versions, machine)).encode()).hexdigest()[:24]
