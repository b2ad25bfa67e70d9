"""A named structure and its code."""

from __future__ import annotations

from dataclasses import dataclass

from surgplan.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Code:
    """A coded concept (DICOM PS3.16): value, coding scheme, meaning.

    Two codes are equal when value and scheme are; the meaning is for people.
    """

    value: str
    meaning: str
    scheme: str = "SCT"

    def __post_init__(self) -> None:
        if not (self.value and self.meaning and self.scheme):
            msg = f"`value`, `meaning` and `scheme` must not be empty, got {self!r}"
            raise UsageError(msg)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Code):
            return NotImplemented
        return (self.value, self.scheme) == (other.value, other.scheme)

    def __hash__(self) -> int:
        return hash((self.value, self.scheme))


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A structure in a label map.

    Attributes
    ----------
    label
        Number of its voxels, 1..255.
    name
        The word people read, unique within a label map.
    code
        What it is; structures are found by this.
    colour
        Red, green, blue, 0..255 each.
    """

    label: int
    name: str
    code: Code
    colour: tuple[int, int, int]

    def __post_init__(self) -> None:
        if not 1 <= self.label <= 255:
            msg = f"`label` must lie in 1..255, got {self.label}"
            raise UsageError(msg)
        if not self.name:
            msg = f"`name` must not be empty for label {self.label}"
            raise UsageError(msg)
        if len(self.colour) != 3 or not all(0 <= c <= 255 for c in self.colour):
            msg = f"`colour` must be three numbers in 0..255, got {self.colour}"
            raise UsageError(msg)
