"""How much liver must stay, by the condition of the liver, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from surgplan.errors import UsageError

Condition = Literal["normal", "chemo", "steatosis", "cirrhosis"]
Denominator = Literal["measured", "standardised", "body weight"]

_CONSENSUS = "consensus, Abdom Radiol 2021, doi:10.1007/s00261-021-03262-x"
_REVIEW = "in the review PMC6422720, table 1"


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A smallest remnant.

    Attributes
    ----------
    denominator
        What the percentage is of: functional volume measured on the scan, liver volume expected
        from body size, or body weight (1 ml taken as 1 g).
    minimum_percent
        The remnant must reach this.
    source
        Where the number stands.
    """

    denominator: Denominator
    minimum_percent: float
    source: str


_WEIGHT = Threshold(
    denominator="body weight",
    minimum_percent=0.5,
    source="Truant 2007, doi:10.1016/j.jamcollsurg.2006.09.021",
)


def _row(denominator: Denominator, minimum_percent: float, source: str) -> Threshold:
    return Threshold(denominator=denominator, minimum_percent=minimum_percent, source=source)


THRESHOLDS: dict[Condition, tuple[Threshold, ...]] = {
    "normal": (
        _row("measured", 25.0, f"Shoup, {_REVIEW}"),
        _row("standardised", 20.0, f"Kishi, {_REVIEW}"),
        _WEIGHT,
    ),
    "chemo": (
        _row("measured", 30.0, f"as for the standardised volume, Shindoh, {_REVIEW}"),
        _row("standardised", 30.0, f"Shindoh, more than three months of chemotherapy, {_REVIEW}"),
        _WEIGHT,
    ),
    "steatosis": (
        _row("measured", 30.0, _CONSENSUS),
        _row("standardised", 30.0, _CONSENSUS),
        _WEIGHT,
    ),
    "cirrhosis": (
        _row("measured", 40.0, f"Azoulay, {_REVIEW}; {_CONSENSUS}"),
        _row("standardised", 40.0, f"Azoulay, {_REVIEW}; {_CONSENSUS}"),
        _WEIGHT,
    ),
}
"""Each condition's thresholds, one for each denominator."""


def thresholds_of(condition: Condition) -> tuple[Threshold, ...]:
    """The thresholds of a condition of the liver.

    Raises
    ------
    UsageError
        If the condition is not one of `Condition`.

    Examples
    --------
    >>> [(t.denominator, t.minimum_percent) for t in thresholds_of("chemo")]
    [('measured', 30.0), ('standardised', 30.0), ('body weight', 0.5)]
    """
    if condition not in get_args(Condition):
        msg = f"`condition` must be one of {', '.join(get_args(Condition))}, got {condition!r}"
        raise UsageError(msg)
    return THRESHOLDS[condition]
