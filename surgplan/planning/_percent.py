"""Percentages as people read them."""

from __future__ import annotations


def percent_in_words(percent: float) -> str:
    """With a decimal, and without digits that say nothing.

    >>> [percent_in_words(value) for value in (24.31, 0.00269, 0.0)]
    ['24.3 %', '< 0.1 %', '0 %']
    """
    if percent == 0:
        return "0 %"
    return "< 0.1 %" if 0 < percent < 0.05 else f"{percent:.1f} %"
