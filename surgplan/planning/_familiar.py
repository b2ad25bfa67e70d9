"""The cuts that surgeons think of first, and spare ones for where too few differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from surgplan.planning._families import Families
from surgplan.planning._geometric import geometric_cuts
from surgplan.planning._kinds import UnionResection
from surgplan.planning._plane_family import Scored
from surgplan.planning._resection import takes
from surgplan.planning._search import PlaneSearch, splits
from surgplan.planning._wedge import WedgeResection

_PLANES = 3
_SPARE_PLANES = 40
_MIXED = 4


def familiar(families: Families) -> Iterator[Scored]:
    """Wedges, planes with wedges, a plane that spares the hilum, and the planes that keep most.

    Without tumours, geometric planes.
    """
    ids = [shape.tumour.id for shape in families.prepared.tumours]
    if not ids:
        yield from _geometric(families, spare=False)
        return
    wedge = WedgeResection.on(families.prepared, ids, families.margin_mm)
    yield families.scored("wedges" if len(ids) > 1 else "wedge", wedge)
    sparing = replace(families.search, sparing=True)
    mixed = list(_planes_and_wedges(families, sparing, wedge))
    yield from mixed[:1]
    if len(families.scorer.samples.guards):
        plane = next(sparing.best(1, families.seed))
        yield families.scored("plane-sparing-hilum-and-cava", plane)
    yield from mixed[1:]
    for plane in families.search.best(_PLANES, families.seed):
        yield families.scored("plane", plane)


def spare(families: Families) -> Iterator[Scored]:
    """More planes, each at least 30 degrees from the others."""
    if not families.prepared.tumours:
        yield from _geometric(families, spare=True)
        return
    for plane in families.search.best(_SPARE_PLANES, families.seed):
        yield families.scored("plane", plane)


def _geometric(families: Families, *, spare: bool) -> Iterator[Scored]:
    for cut in geometric_cuts(families.prepared, families.scorer.samples):
        if cut.spare == spare:
            yield replace(families.scored(cut.name, cut.plane), why=cut.why)


def _planes_and_wedges(
    families: Families, search: PlaneSearch, wedge: WedgeResection
) -> Iterator[Scored]:
    """A plane for some of several tumours and wedges for the others, best first."""
    if len(search.tumours) < 2:
        return
    samples = search.samples
    each = [takes(wedge.only([c.tumour]), samples.coarse) for c in wedge.corridors]
    for split in splits(search, np.stack(each, axis=1), families.seed)[:_MIXED]:
        others = [c.tumour for n, c in enumerate(wedge.corridors) if n not in split.tumours]
        rest = wedge.only(others)
        around = replace(search, samples=samples.outside(rest), tumours=split.tumours)
        plane = around.plane(around.refined(split.direction))
        yield families.scored("plane-and-wedges", UnionResection(parts=(plane, rest)))
