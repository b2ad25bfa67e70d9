"""Weights of another network as a start."""

from __future__ import annotations

import torch

from surgplan.errors import InputRefusedError


def start_from(network: torch.nn.Module, other: torch.nn.Module) -> None:
    """Give ``network`` the weights of ``other``; further input channels start at 0.

    Raises
    ------
    InputRefusedError
        If the two differ in more than the number of input channels.
    """
    mine, theirs = network.state_dict(), other.state_dict()
    if mine.keys() != theirs.keys():
        msg = "the model to start from has another architecture; start from fresh weights instead"
        raise InputRefusedError(msg)
    for name, value in mine.items():
        given = theirs[name]
        narrower = value.ndim > 1 and given.shape[1] < value.shape[1]
        if narrower and given.shape[::2] == value.shape[::2]:
            value.zero_()
            value[:, : given.shape[1]] = given
        elif given.shape == value.shape:
            value.copy_(given)
        else:
            msg = (
                f"the model to start from has {name} of shape {tuple(given.shape)}, this network "
                f"{tuple(value.shape)}; use the same filters or start from fresh weights"
            )
            raise InputRefusedError(msg)
