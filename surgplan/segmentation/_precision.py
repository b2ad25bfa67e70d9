"""bfloat16 where a device multiplies in it, float32 elsewhere."""

from __future__ import annotations

import torch


def multiplies_bfloat16(device: str) -> bool:
    """Whether a device is faster in bfloat16 than in float32.

    A processor without AVX-512, as most laptops have, takes minutes for what float32 does in a
    second: oneDNN has no bfloat16 convolution for it, and torch's own is a plain loop.

    Parameters
    ----------
    device
        As torch names it, e.g. ``'cpu'`` or ``'cuda:1'``.
    """
    kind = torch.device(device).type
    if kind == "cpu":
        return torch.backends.cpu.get_cpu_capability() not in {"DEFAULT", "AVX2"}
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return True


def mixed_precision(device: str, *, wanted: bool = True) -> torch.autocast:
    """A context in which layers compute in bfloat16, where that is wanted and pays."""
    kind = torch.device(device).type
    enabled = wanted and multiplies_bfloat16(device)
    return torch.autocast(kind, torch.bfloat16, enabled=enabled)
