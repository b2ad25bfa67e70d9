"""Straight ways from the skin to a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import UsageError
from surgplan.planning._boundary import Points
from surgplan.planning._obstacles import Obstacles
from surgplan.planning._resection import Vector
from surgplan.planning._skin import skin_of
from surgplan.volume import (
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    VENA_CAVA,
    LabelMap,
    Segment,
)

ORGANS: tuple[Segment, ...] = (
    BONE, LUNGS, BOWEL, STOMACH, SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, PANCREAS, ARTERIES, VENA_CAVA,
)  # fmt: skip
"""What no instrument may hit."""

NEEDLE_OBSTACLES: tuple[Segment, ...] = (*ORGANS, PORTAL_VEIN, HEPATIC_VEINS, BILIARY)
"""A needle goes through the liver, so its vessels and bile ducts stand in the way too."""

_SKIN_MM = 5.0


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A straight, rigid instrument.

    Attributes
    ----------
    diameter_mm
        Of its shaft.
    clearance_mm
        Tissue wanted between shaft and every obstacle.
    length_mm
        Farthest that its tip gets from the skin.

    Raises
    ------
    UsageError
        If a number is negative, or the diameter or length 0.
    """

    diameter_mm: float = 1.5
    clearance_mm: float = 3.0
    length_mm: float = 200.0

    def __post_init__(self) -> None:
        if not (self.diameter_mm > 0 and self.clearance_mm >= 0 and self.length_mm > 0):
            msg = (
                "an instrument needs `diameter_mm` and `length_mm` above 0 and `clearance_mm` of 0 "
                f"or more, got {self.diameter_mm}, {self.length_mm} and {self.clearance_mm}"
            )
            raise UsageError(msg)

    @property
    def wanted_mm(self) -> float:
        """From the axis to an obstacle, at least."""
        return self.diameter_mm / 2 + self.clearance_mm


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths:
    """Straight ways from entry points on the skin to a target, the best first.

    Free ways come first, those with the most room and the shortest way before others; then the
    blocked ones. A map of the body as it was scanned: breathing and pneumoperitoneum move it.

    Attributes
    ----------
    target_mm
        Where they end, LPS.
    instrument
        What goes along them.
    entries_mm
        ``(n, 3)`` LPS, on the skin.
    length_mm
        ``(n,)``.
    clearance_mm
        ``(n,)`` from the wall of the shaft to the nearest obstacle, negative where it is hit; at
        most 20 mm, more counts as this.
    free
        ``(n,)`` whether the wanted clearance is kept and the instrument is long enough.
    obstacle
        ``(n,)`` place in `obstacles` of the structure that is nearest, -1 where none is near.
    obstacles
        Structures that were checked.
    notice
        Not a medical device.
    """

    target_mm: Vector
    instrument: Instrument
    entries_mm: Points
    length_mm: npt.NDArray[np.float64]
    clearance_mm: npt.NDArray[np.float64]
    free: npt.NDArray[np.bool_]
    obstacle: npt.NDArray[np.int64]
    obstacles: tuple[Segment, ...]
    notice: str = NOT_A_MEDICAL_DEVICE

    def __post_init__(self) -> None:
        for name in ("entries_mm", "length_mm", "clearance_mm", "free", "obstacle"):
            owned = np.array(getattr(self, name))
            owned.flags.writeable = False
            object.__setattr__(self, name, owned)


MOST_MM = 20.0
"""Clearance beyond this is not told apart."""

_ROOM_WORTH = 5.0  # a millimetre more of room is worth so many of way


def needle_paths(
    label_map: LabelMap,
    body: npt.NDArray[np.bool_],
    target_mm: Vector,
    *,
    instrument: Instrument | None = None,
    structures: Sequence[Segment] = NEEDLE_OBSTACLES,
) -> Paths:
    """Every entry point on the skin from which an instrument reaches a target, and what blocks it.

    Parameters
    ----------
    label_map
        Structures in the way; perpendicular axes.
    body
        ``(slice, row, column)`` on the grid of the labels, as from `body_mask`.
    target_mm
        LPS, inside the body.
    instrument
        None for a needle of 1.5 mm that keeps 3 mm.
    structures
        What must not be hit.

    Raises
    ------
    NothingToDoError
        If the body is empty.
    UsageError
        If the target lies outside the body, the shapes differ or the grid is sheared.
    """
    instrument = instrument or Instrument()
    target = np.asarray(target_mm, dtype=np.float64)
    if target.shape != (3,) or not _within(body, label_map, target):
        msg = f"`target_mm` must be a point inside the body, got {target_mm}"
        raise UsageError(msg)
    entries, _ = skin_of(body, label_map.geometry, _SKIN_MM)
    obstacles = Obstacles.of(label_map, structures)
    length = np.linalg.norm(entries - target, axis=1)
    axis, which = obstacles.clearance_mm(
        entries,
        np.broadcast_to(target, entries.shape),
        up_to_mm=max(MOST_MM, instrument.clearance_mm) + instrument.diameter_mm / 2,
    )
    room = axis - instrument.diameter_mm / 2
    free = (room >= instrument.clearance_mm) & (length <= instrument.length_mm)
    order = np.lexsort((length - _ROOM_WORTH * room, ~free))
    x, y, z = (float(v) for v in target)
    return Paths(
        target_mm=(x, y, z),
        instrument=instrument,
        entries_mm=entries[order],
        length_mm=length[order],
        clearance_mm=room[order],
        free=free[order],
        obstacle=which[order],
        obstacles=obstacles.segments,
    )


def _within(body: npt.NDArray[np.bool_], label_map: LabelMap, point: Points) -> bool:
    index = np.rint(label_map.geometry.to_index(point)).astype(int)
    inside = bool(((index >= 0) & (index < label_map.geometry.shape)).all())
    return inside and body.shape == label_map.geometry.shape and bool(body[tuple(index)])
