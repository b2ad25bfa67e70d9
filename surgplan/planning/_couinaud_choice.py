"""Which of two divisions of a liver into Couinaud's segments is the better founded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from surgplan.errors import NothingToDoError
from surgplan.planning._couinaud import CouinaudSegments
from surgplan.volume import LIVER, LIVER_TUMOUR, LabelMap

CouinaudMethod = Literal["vessels", "learned"]

COUINAUD_METHODS: tuple[CouinaudMethod, ...] = get_args(CouinaudMethod)

_SURE_NAMES = 0.6
"""Mean confidence in the names of a segment's portal branches from which they carry it."""

_SURE_SHAPE = 0.65
"""Mean probability of the weakest segment from which the shape is one that the network knows."""

ASKED_FOR = "This method was asked for."

_EDGES = {"L": "left", "R": "right", "P": "rear", "A": "front", "S": "upper", "I": "lower"}
_OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "S": "I", "I": "S"}


@dataclass(frozen=True, kw_only=True)
class CouinaudChoice:
    """What was chosen, and the sentences that say why.

    Attributes
    ----------
    method
        ``'vessels'``: by portal branches and planes of hepatic veins; ``'learned'``: by a network
        that knows livers of known segments.
    why
        One sentence.
    warnings
        What speaks against trusting the segments; empty at best.
    """

    method: CouinaudMethod
    why: str
    warnings: tuple[str, ...]


def sides_cut_off(label_map: LabelMap) -> tuple[str, ...]:
    """Edges of the grid that the liver reaches, in words: part of it may lie outside."""
    liver = label_map.mask(LIVER, LIVER_TUMOUR)
    return tuple(
        _EDGES[letter]
        for axis, code in enumerate(label_map.geometry.axis_codes)
        for index, letter in ((0, _OPPOSITE[code]), (-1, code))
        if label_map.array.shape[axis] > 1 and np.take(liver, index, axis=axis).any()
    )


def cut_off_warning(side: str) -> str:
    """What that means, in one sentence for every place that tells it."""
    return (
        f"The liver reaches the {side} edge of the scan: part of it may be missing, and volumes "
        "and segments there may be too small."
    )


def choose_couinaud(
    vessels: CouinaudSegments | None,
    learned: Mapping[str, float] | None,
    *,
    cut_off: tuple[str, ...] = (),
    asked_for: CouinaudMethod | None = None,
) -> CouinaudChoice:
    """Choose by what each of the two rests on.

    The network is asked first, since its worst segment agrees better with experts than the worst
    one by vessels (see `docs/couinaud.json`). It judges by the shape of the whole liver, so that
    the vessels are better founded where a part of the liver is missing or the network is unsure,
    and all branches and planes are there.

    Parameters
    ----------
    vessels
        The segments by vessels, None where they cannot be had.
    learned
        Mean probability by segment name, None where there is no network.
    cut_off
        Of `sides_cut_off`.
    asked_for
        The method that the user insists on; what speaks against it is said all the same.

    Raises
    ------
    NothingToDoError
        If there is neither.
    """
    if vessels is None and learned is None:
        msg = "Couinaud segments need labelled vessels or the network (`surgplan[ai]`)"
        raise NothingToDoError(msg)
    missing = tuple(cut_off_warning(side) for side in cut_off)
    against_shape = _against_shape(learned, cut_off)
    against_vessels = _against_vessels(vessels)
    take_learned = learned is not None and (not against_shape or bool(against_vessels))
    if asked_for is not None:
        take_learned = asked_for == "learned"
    if take_learned:
        why = ASKED_FOR if asked_for else _why_learned(against_shape, against_vessels)
        doubts = (f"The network is on unsafe ground: {against_shape}.",) if against_shape else ()
        return CouinaudChoice(method="learned", why=why, warnings=missing + doubts)
    doubts = (f"The vessels are a weak ground: {against_vessels}.",) if against_vessels else ()
    why = f"Portal branches and hepatic veins were chosen, because {against_shape}."
    return CouinaudChoice(
        method="vessels",
        why=ASKED_FOR if asked_for else why,
        warnings=missing + doubts,
    )


def _against_shape(learned: Mapping[str, float] | None, cut_off: tuple[str, ...]) -> str:
    if learned is None:
        return "there is no network"
    if cut_off:
        return f"the liver is cut off at the {' and '.join(cut_off)} edge of the scan"
    name, least = min(learned.items(), key=lambda item: item[1])
    if least < _SURE_SHAPE:
        return f"the network is unsure of {name} (probability {least:.2f})"
    return ""


def _against_vessels(vessels: CouinaudSegments | None) -> str:
    if vessels is None:
        return "no portal branches of both halves of the liver are named"
    unsure = [name for name, sure in vessels.confidence.items() if sure < _SURE_NAMES]
    if unsure:
        return f"portal branches are missing or unsure for {', '.join(unsure)}"
    if vessels.missing_borders:
        return f"nothing marks the border {', '.join(vessels.missing_borders)}"
    return ""


def _why_learned(against_shape: str, against_vessels: str) -> str:
    if against_shape:
        return (
            f"The network was chosen although {against_shape}, because the vessels are no better "
            f"ground: {against_vessels}."
        )
    second = f", and {against_vessels}" if against_vessels else ""
    return (
        "The network was chosen: the liver is whole, and it is sure of every segment, with "
        f"the planes of the vessels shown to it where there are any{second}."
    )
