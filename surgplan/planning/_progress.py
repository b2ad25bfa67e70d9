"""How far a search is, for whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Called with the fraction done and a few words."""


def silent(fraction: float, text: str) -> None:
    """Tell nobody."""
