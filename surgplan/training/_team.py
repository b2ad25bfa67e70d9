"""The processes that torchrun started for one run, or the only one of a run without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from surgplan.errors import InputRefusedError, UsageError


@dataclass(frozen=True, kw_only=True)
class Team:
    """Processes that share the samples of every step and hold the same weights after it.

    What a run ends in depends on its settings alone, not on how many processes there are; only
    sums are rounded in another order.

    Attributes
    ----------
    rank, size
        Number of this process, 0 to ``size - 1``.
    device
        Where this process computes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and tells the progress."""
        return self.rank == 0

    def share(self, step: int, batch: int) -> range:
        """Numbers of the samples of a step that fall to this process.

        >>> list(Team(rank=1, size=2).share(3, 4))
        [13, 15]

        Raises
        ------
        UsageError
            If the processes cannot share a batch evenly.
        """
        if batch < 1 or batch % self.size:
            msg = (
                f"`batch` is {batch}, which {self.size} processes cannot share evenly; set it to a "
                f"multiple of {self.size} in the config, or start fewer processes"
            )
            raise UsageError(msg)
        return range(step * batch + self.rank, (step + 1) * batch, self.size)

    def add_up(self, network: torch.nn.Module) -> None:
        """Replace every gradient by its sum over the processes.

        A parameter without a gradient here has none anywhere, since all compute the same loss.
        """
        if self.size == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for gradient, total in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(total.view_as(gradient))

    def together(self, values: torch.Tensor) -> torch.Tensor:
        """The rows of all processes, ``(n, ...)`` of each, on the CPU."""
        if self.size == 1:
            return values.cpu()
        own = values.to(self.device).contiguous()
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own)
        return torch.cat(parts).cpu()

    def check_step(self, step: int) -> None:
        """Refuse processes that resume from different steps.

        Raises
        ------
        InputRefusedError
            If not all of them saw the same checkpoint.
        """
        steps = self.together(torch.tensor([step])).tolist()
        if len(set(steps)) > 1:
            msg = (
                f"the processes would go on from steps {steps}; all need the same folder of the "
                "run, so put it on a file system that every machine sees"
            )
            raise InputRefusedError(msg)

    def wait(self) -> None:
        """Until all processes have come as far."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: str) -> Iterator[Team]:
    """The team of this process: what torchrun says in the environment, else a team of one.

    ``'cuda'`` gives each process the GPU of its own number on its machine.

    Raises
    ------
    UsageError
        If several processes are to use one GPU.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(device=device)
        return
    if device.startswith("cuda"):
        if device != "cuda":
            msg = f"{size} processes cannot all use {device!r}; give 'cuda', one GPU for each"
            raise UsageError(msg)
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    begins = not dist.is_initialized()
    if begins:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    yield Team(rank=dist.get_rank(), size=dist.get_world_size(), device=device)
    if begins:  # after an error torchrun ends the processes: leaving in order would wait for them
        dist.destroy_process_group()
