"""Of many, those that no other one beats; and of those, a few that differ most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def non_dominated(costs: Values) -> Places:
    """Places, rising, of the rows of ``(n, k)`` costs that no other row beats.

    A row beats another where it is nowhere larger and somewhere smaller; of equal rows the first
    stays.

    Examples
    --------
    >>> non_dominated(np.array([[1.0, 3], [2, 2], [2, 3], [3, 1], [2, 2]])).tolist()
    [0, 1, 3]
    """
    kept = np.ones(len(costs), dtype=bool)
    for place, own in enumerate(costs):
        if kept[place]:
            beaten = (costs >= own).all(axis=1) & (costs > own).any(axis=1)
            beaten |= (costs == own).all(axis=1) & (np.arange(len(costs)) > place)
            kept &= ~beaten
    return np.flatnonzero(kept)


def spread(costs: Values, count: int, first: list[int]) -> list[int]:
    """Places of up to ``count`` rows that lie far from each other.

    Some are given; then the least of each cost, in the order of the costs; then the row farthest
    from those chosen, each cost measured by its range.
    """
    chosen = list(dict.fromkeys(first))
    chosen += [n for n in dict.fromkeys(costs.argmin(axis=0).tolist()) if n not in chosen]
    chosen = chosen[:count]
    scaled = normalised(costs)
    away = np.full(len(costs), np.inf)
    for place in chosen:
        away = np.minimum(away, np.linalg.norm(scaled - scaled[place], axis=1))
    while len(chosen) < min(count, len(costs)):
        away[chosen] = -1.0
        place = int(np.argmax(away))
        chosen.append(place)
        away = np.minimum(away, np.linalg.norm(scaled - scaled[place], axis=1))
    return chosen


def normalised(costs: Values) -> Values:
    """Costs ``(n, k)`` moved and scaled to 0..1 each; 0 where all are equal."""
    low, high = costs.min(axis=0), costs.max(axis=0)
    scaled: Values = (costs - low) / np.where(high > low, high - low, 1.0)
    return scaled
