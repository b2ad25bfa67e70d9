"""What a resection takes, in words."""

from __future__ import annotations

from surgplan.planning._bezier import BezierResection
from surgplan.planning._freehand import FreehandResection
from surgplan.planning._kinds import TwoStageResection, UnionResection
from surgplan.planning._resection import PlaneResection, Resection
from surgplan.planning._territory_resection import TerritoryResection
from surgplan.planning._wedge import WedgeResection

_BEYOND = {
    PlaneResection.kind: "all beyond a plane",
    BezierResection.kind: "all beyond a curved cut",
    FreehandResection.kind: "all beyond a drawn cut",
}


def in_words(resection: Resection) -> str:
    """What a resection takes, as part of a sentence.

    Examples
    --------
    >>> in_words(PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0)))
    'all beyond a plane'
    """
    if isinstance(resection, UnionResection | TwoStageResection):
        return ", and ".join(dict.fromkeys(in_words(part) for part in resection.parts))
    if isinstance(resection, TerritoryResection):
        return resection.name
    if isinstance(resection, WedgeResection):
        numbers = [str(corridor.tumour) for corridor in resection.corridors]
        if len(numbers) == 1:
            return f"a wedge around tumour {numbers[0]}"
        return f"wedges around tumours {', '.join(numbers[:-1])} and {numbers[-1]}"
    return _BEYOND.get(resection.kind, resection.kind)
