"""A resection's distances all around a prepared liver, asked for together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgplan.planning._clusters import Look, Mask, ask, looks_at
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """A resection at the blocks, tumours, structures and vessels of a liver.

    One question about many points is far quicker than many questions about a few: the sides of
    everything are known from the start.

    Attributes
    ----------
    blocks
        At the middles of the blocks.
    tumours, structures, vessels
        One each, in the order of the prepared liver; vessels in that of ``Perfusions.each``.
    """

    blocks: Look
    tumours: tuple[Look, ...]
    structures: tuple[Look, ...]
    vessels: tuple[Look, ...]

    @classmethod
    def of(cls, prepared: PreparedLiver, resection: Resection) -> Looks:
        """Ask a resection about everything in a liver."""
        blocks, tumours = prepared.blocks, prepared.tumours
        parts, regions = prepared.regions
        first, last = 1 + len(tumours), len(parts) - len(prepared.structures)
        reach = np.full(len(parts), np.inf)
        reach[0], reach[first:last] = blocks.radius_mm, 0.0
        looks = looks_at(resection, parts, regions, reach.tolist())
        sided = [(look, look.reached(0.0)) for look in looks[1:last]]
        nearest = [(look, look.nearest_cluster()) for look in (*looks[1:first], *looks[last:])]
        ask(*sided, *nearest)
        return cls(
            blocks=looks[0],
            tumours=looks[1:first],
            vessels=looks[first:last],
            structures=looks[last:],
        )

    def resected(self) -> tuple[Mask, ...]:
        """Which nodes of each vessel system are on the resected side."""
        return tuple(look.known < 0 for look in self.vessels)
