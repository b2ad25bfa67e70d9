"""A resection's distances all around a prepared liver, asked for together."""

from __future__ import annotations

from dataclasses import dataclass

from surgplan.planning._clusters import SLACK_MM, Look, Mask, ask, looks_at
from surgplan.planning._owned import holds_territory
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
        At the middles of the blocks, exact wherever a block may meet the cut; not asked of a
        resection with territories.
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
        vessels = prepared.perfusions.each()
        looks = looks_at(
            resection,
            [
                blocks.clusters,
                *(t.clusters for t in tumours),
                *(p.nodes.clusters for p in vessels),
                *(s.clusters for s in prepared.structures),
            ],
        )
        first, last = 1 + len(tumours), 1 + len(tumours) + len(vessels)
        near = (look.reached(0.0) for look in looks[1:last])
        wanted = list(zip(looks[1:last], near, strict=True))
        if not holds_territory(resection):  # else blocks are judged by the vessels next to them
            wanted.append((looks[0], looks[0].reached(blocks.radius_mm + SLACK_MM)))
        ask(*wanted)
        return cls(
            blocks=looks[0],
            tumours=looks[1:first],
            vessels=looks[first:last],
            structures=looks[last:],
        )

    def resected(self) -> tuple[Mask, ...]:
        """Which nodes of each vessel system are on the resected side."""
        return tuple(look.known < 0 for look in self.vessels)
