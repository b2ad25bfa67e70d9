"""A plane to start from."""

from __future__ import annotations

from collections.abc import Sequence

from surgplan.errors import NothingToDoError
from surgplan.planning._geometric import geometric_cuts
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import PlaneResection
from surgplan.planning._samples import Samples
from surgplan.planning._search import PlaneSearch

_LAID_MM = 0.1  # as proposals are laid, so that the margin holds as computed


def best_plane(
    prepared: PreparedLiver,
    *,
    margin_mm: float,
    tumours: Sequence[int] | None = None,
    seed: int = 0,
) -> PlaneResection:
    """The plane that clears tumours by a margin and keeps the most liver, within half a second.

    Parameters
    ----------
    prepared
        The liver.
    margin_mm
        Tissue between every one of these tumours and the plane.
    tumours
        Ids of those to resect; None for all. Without tumours in the liver, its left third.
    seed
        The same seed gives the same plane.

    Raises
    ------
    NothingToDoError
        If a tumour is named that is not there.
    """
    samples = Samples.of(prepared)
    places = {shape.tumour.id: place for place, shape in enumerate(prepared.tumours)}
    wanted = list(places) if tumours is None else list(tumours)
    missing = sorted(set(wanted) - set(places))
    if missing:
        msg = f"a plane can be laid beside tumours {sorted(places)}, got {missing}"
        raise NothingToDoError(msg)
    if not wanted:
        return next(iter(geometric_cuts(prepared, samples))).plane
    search = PlaneSearch(
        samples=samples,
        tumours=tuple(places[number] for number in wanted),
        margin_mm=margin_mm + _LAID_MM,
    )
    return next(search.best(1, seed))
