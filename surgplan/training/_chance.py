"""Chance that depends on a seed and a number alone, so that runs can go on anywhere."""

from __future__ import annotations

import numpy as np


def stream(seed: int, number: int) -> np.random.Generator:
    """Random numbers of their own for each seed and number, without overlap between them."""
    return np.random.Generator(np.random.Philox(key=[seed, number]))
