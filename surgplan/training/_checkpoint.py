"""The state of a run on disk: safetensors and JSON, written atomically."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from surgplan.io import atomic_file
from surgplan.training._team import Team

STATE = "state.safetensors"

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class RunState:
    """Everything that a resumed run needs; changed in place by the loop.

    Attributes
    ----------
    network
        Being trained.
    averaged
        Running average of its weights.
    optimiser
        AdamW over the network.
    step
        Steps done.
    history
        One row per log line: step, loss, Dice per structure.
    """

    network: torch.nn.Module
    averaged: torch.nn.Module
    optimiser: torch.optim.AdamW
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def fresh(
        cls, network: torch.nn.Module, *, learning_rate: float, weight_decay: float = 1e-4
    ) -> RunState:
        """Of a network before its first step."""
        return cls(
            network=network,
            averaged=copy.deepcopy(network),
            optimiser=torch.optim.AdamW(
                network.parameters(), lr=learning_rate, weight_decay=weight_decay
            ),
        )

    def steps_left(
        self,
        folder: Path,
        team: Team,
        *,
        until: int,
        checkpoint_minutes: float,
        saved: Callable[[], None] = lambda: None,
    ) -> Iterator[None]:
        """Once for each step that is still to be done, from the checkpoint in ``folder`` on.

        The state is saved every ``checkpoint_minutes`` and after the last step; then ``saved`` is
        called.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / STATE).exists():
            self.load(folder)
            log.info("resumed %s at step %d", folder, self.step)
        team.check_step(self.step)
        last = time.monotonic()
        while self.step < until:
            yield
            due = time.monotonic() - last > 60 * checkpoint_minutes
            if team.leads and (due or self.step == until):
                self.save(folder)
                saved()
                last = time.monotonic()
        team.wait()

    def set_rate(self, learning_rate: float, steps: int) -> None:
        """The learning rate of the next step: it rises over the first 20, then falls to 0."""
        rate = learning_rate * (1 - self.step / steps) ** 0.9
        for group in self.optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.step + 1) / 20)

    def advance(self, *, average: float) -> None:
        """Take a step by the gradients that stand; ``average`` is the decay of the running mean."""
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        decay = min(average, self.step / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(
                self.averaged.parameters(), self.network.parameters(), strict=True
            ):
                mean.lerp_(now, 1 - decay)

    def save(self, folder: Path) -> None:
        """Write the state, replacing the one before."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in values.items()}
        contiguous = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
        meta = {"step": str(self.step), "history": json.dumps(self.history)}
        with atomic_file(folder / STATE) as path:
            save_file(contiguous, path, metadata=meta)

    def load(self, folder: Path) -> None:
        """Read the state that `save` wrote."""
        tensors = load_file(folder / STATE)
        meta = _metadata(folder / STATE)
        for name, module in (("network", self.network), ("averaged", self.averaged)):
            prefix = f"{name}."
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
        state = self.optimiser.state_dict()
        state["state"] = {}
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".", 2)
                state["state"].setdefault(int(index), {})[name] = value
        self.optimiser.load_state_dict(state)
        self.step = int(meta["step"])
        self.history = json.loads(meta["history"])


def _metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    metadata: dict[str, str] = header["__metadata__"]
    return metadata
