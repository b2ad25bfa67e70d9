"""Ports for rigid and robotic instruments that turn about a point in the abdominal wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning._access import ORGANS, Instrument
from surgplan.planning._boundary import Points
from surgplan.planning._front import CutFront
from surgplan.planning._obstacles import Obstacles
from surgplan.planning._skin import skin_of
from surgplan.volume import LabelMap, Segment

_SKIN_MM = 20.0
_PIECES = 300


PORT_INSTRUMENT = Instrument(diameter_mm=8.0, clearance_mm=2.0, length_mm=300.0)
"""A robot's instrument of 8 mm."""


@dataclass(frozen=True, kw_only=True)
class PortSettings:
    """What a port allows, and how ports stand to each other.

    Attributes
    ----------
    instrument
        What goes through it.
    cone_deg
        How far the shaft may lean from the inward normal of the skin: half the opening of the cone
        of motion about the remote centre, 1..89 degrees.
    apart_mm
        Between any two ports, at least, so that hands and arms do not meet outside.
    """

    instrument: Instrument = PORT_INSTRUMENT
    cone_deg: float = 70.0
    apart_mm: float = 80.0

    def __post_init__(self) -> None:
        if not 1 <= self.cone_deg <= 89 or not self.apart_mm >= 0:
            msg = (
                "`cone_deg` must lie in 1..89 and `apart_mm` be 0 or more, "
                f"got {self.cone_deg} and {self.apart_mm}"
            )
            raise UsageError(msg)


@dataclass(frozen=True, kw_only=True, eq=False)
class PortReach:
    """What instruments reach of a cut from some ports.

    Only shafts inside the body are checked; the body is as scanned, without pneumoperitoneum.

    Attributes
    ----------
    ports_mm, inward
        ``(n, 3)`` LPS: remote centres, and unit vectors into the body.
    pieces_mm, area_mm2
        ``(m, 3)`` and ``(m,)``: the cut in pieces.
    reached
        ``(n, m)`` which piece is reached from which port.
    blocked_by
        ``(n, m)`` place in `obstacles` of what is hit on the way, -1 if nothing is.
    obstacles
        Structures that were checked.
    """

    ports_mm: Points
    inward: Points
    pieces_mm: Points
    area_mm2: npt.NDArray[np.float64]
    reached: npt.NDArray[np.bool_]
    blocked_by: npt.NDArray[np.int64]
    obstacles: tuple[Segment, ...]
    notice: str = NOT_A_MEDICAL_DEVICE

    def __post_init__(self) -> None:
        for name in ("ports_mm", "inward", "pieces_mm", "area_mm2", "reached", "blocked_by"):
            owned = np.array(getattr(self, name))
            owned.flags.writeable = False
            object.__setattr__(self, name, owned)

    def share(self, ports: Sequence[int] | None = None) -> float:
        """Share of the cut's area that any of some ports (None: of all) reaches, 0..1."""
        some = self.reached if ports is None else self.reached[list(ports)]
        return float(self.area_mm2[some.any(axis=0)].sum() / self.area_mm2.sum())

    def only(self, ports: Sequence[int]) -> PortReach:
        """The same for some of the ports."""
        chosen = list(ports)
        return PortReach(
            ports_mm=self.ports_mm[chosen],
            inward=self.inward[chosen],
            pieces_mm=self.pieces_mm,
            area_mm2=self.area_mm2,
            reached=self.reached[chosen],
            blocked_by=self.blocked_by[chosen],
            obstacles=self.obstacles,
        )


def port_reach(
    obstacles: Obstacles,
    front: CutFront,
    ports_mm: Points,
    inward: Points,
    settings: PortSettings | None = None,
) -> PortReach:
    """What of a cut instruments reach from given ports.

    Parameters
    ----------
    obstacles
        What their shafts must keep away from; see `obstacles_of`.
    front
        The cut.
    ports_mm, inward
        ``(n, 3)`` LPS, and directions into the body.
    settings
        None for the defaults.
    """
    settings = settings or PortSettings()
    ports, unit = np.atleast_2d(ports_mm).astype(float), np.atleast_2d(inward).astype(float)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    pieces, area = _pieces(front)
    way = pieces[None] - ports[:, None]
    length = np.linalg.norm(way, axis=2)
    lean = (way * unit[:, None]).sum(axis=2) / np.maximum(length, 1e-9)
    reached = lean >= np.cos(np.radians(settings.cone_deg))
    reached &= length <= settings.instrument.length_mm
    blocked = np.full(reached.shape, -1, dtype=np.int64)
    port, piece = np.nonzero(reached)
    wanted = settings.instrument.wanted_mm
    room, which = obstacles.clearance_mm(ports[port], pieces[piece], up_to_mm=wanted)
    hit = room < wanted
    blocked[port[hit], piece[hit]] = which[hit]
    reached[port[hit], piece[hit]] = False
    return PortReach(
        ports_mm=ports,
        inward=unit,
        pieces_mm=pieces,
        area_mm2=area,
        reached=reached,
        blocked_by=blocked,
        obstacles=obstacles.segments,
    )


def propose_ports(
    label_map: LabelMap,
    body: npt.NDArray[np.bool_],
    front: CutFront,
    *,
    count: int = 4,
    settings: PortSettings | None = None,
    structures: Sequence[Segment] = ORGANS,
) -> PortReach:
    """Ports on the skin from which most of a cut is reached, the best first.

    One after the other, each that which adds most area not yet reached, and then that which
    reaches most, far enough from those before.

    Raises
    ------
    NothingToDoError
        If no place on the skin reaches any of the cut.
    UsageError
        If the count is not positive, shapes differ or the grid is sheared.
    """
    if count < 1:
        msg = f"`count` of ports must be 1 or more, got {count}"
        raise UsageError(msg)
    settings = settings or PortSettings()
    places, outward = skin_of(body, label_map.geometry, _SKIN_MM)
    obstacles = Obstacles.of(label_map, structures)
    every = port_reach(obstacles, front, places, -outward, settings)
    area = every.reached * every.area_mm2
    if not area.any():
        msg = (
            "a port needs a free way to the cut, and no place on the skin has one; "
            "allow a wider cone, a longer or a thinner instrument"
        )
        raise NothingToDoError(msg)
    chosen: list[int] = []
    able = area.any(axis=1)
    while len(chosen) < count and able.any():
        new = area[:, ~every.reached[chosen].any(axis=0)].sum(axis=1)
        worth = np.where(able, new + 1e-3 * area.sum(axis=1), -1.0)
        chosen.append(int(np.argmax(worth)))
        away = np.linalg.norm(places - places[chosen[-1]], axis=1)
        able &= (away >= settings.apart_mm) & (away > 0)
    return every.only(chosen)


def obstacles_of(label_map: LabelMap, structures: Sequence[Segment] = ORGANS) -> Obstacles:
    """What instruments must keep away from, made ready once for many questions."""
    return Obstacles.of(label_map, structures)


def _pieces(front: CutFront) -> tuple[Points, npt.NDArray[np.float64]]:
    """About 300 places that stand for the cut, evenly in the order in which it is made."""
    groups = min(_PIECES, len(front.area_mm2))
    group = np.minimum((front.progress * groups).astype(np.int64), groups - 1)
    used, group = np.unique(group, return_inverse=True)
    area = np.bincount(group, weights=front.area_mm2).astype(np.float64)
    middle = [np.flatnonzero(group == n)[(group == n).sum() // 2] for n in range(len(used))]
    return front.points_mm[middle], area
