"""The surfaces of the 3D views: structures, and the parts of a liver that is being opened.

They are no layers of napari: each layer costs a tenth of a second and more in every view, when it
comes and whenever it changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from psygnal import Signal

World = npt.NDArray[np.float32]

SPECIMEN_COLOUR = (0.95, 0.60, 0.20)
"""Of what is resected: red, green, blue, 0..1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A surface as it is shown.

    Attributes
    ----------
    points
        ``(n, 3)`` in napari's world ``(z, y, x)``, millimetres.
    triangles
        ``(m, 3)``.
    colours
        ``(n, 4)`` red, green, blue, opacity of the points, 0..1.
    opacity
        Of the whole, 0..1.
    visible
        Whether it is shown.
    see_through
        Whether what lies inside shines through; drawn last then.
    dyed
        ``(n,)`` which points are resected and shown so; None for none.
    """

    points: World
    triangles: npt.NDArray[np.integer[Any]]
    colours: npt.NDArray[np.float32]
    opacity: float = 1.0
    visible: bool = True
    see_through: bool = False
    dyed: npt.NDArray[np.bool_] | None = None

    @property
    def painted(self) -> npt.NDArray[np.float32]:
        """``(n, 4)`` colours as they are shown."""
        colours = self.colours * np.array([1, 1, 1, self.opacity], dtype=np.float32)
        if self.dyed is not None:
            light = self.colours[:, :3].max(axis=1, keepdims=True) ** 0.6  # above the remnant
            dye = light * np.array(SPECIMEN_COLOUR, dtype=np.float32)
            colours[self.dyed, :3] = dye[self.dyed]
        return colours


class Solids:
    """All surfaces of a scene by their keys, in the order of drawing; and a mark on a point.

    Attributes
    ----------
    changed
        One came, went or changed.
    mark
        ``(3,)`` in napari's world; None without.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._all: dict[Hashable, Solid] = {}
        self.mark: npt.NDArray[np.float64] | None = None

    def get(self, key: Hashable) -> Solid | None:
        """The surface of this key, None if there is none."""
        return self._all.get(key)

    def keys(self) -> tuple[Hashable, ...]:
        """Those of all surfaces."""
        return tuple(self._all)

    def visible(self) -> tuple[Solid, ...]:
        """Those that are shown."""
        return tuple(solid for solid in self._all.values() if solid.visible)

    def put(self, key: Hashable, solid: Solid) -> None:
        """Add a surface, or show another in its place."""
        self._all[key] = solid
        self.changed.emit()

    def change(self, key: Hashable, **fields: Any) -> None:
        """Change fields of a surface; quick where they are equal already."""
        solid = self._all[key]
        if any(getattr(solid, name) is not value for name, value in fields.items()):
            self.put(key, replace(solid, **fields))

    def drop(self, key: Hashable) -> None:
        """Take a surface away, if it is there."""
        if self._all.pop(key, None) is not None:
            self.changed.emit()

    def clear(self) -> None:
        """Take everything away."""
        self._all.clear()
        self.mark = None
        self.changed.emit()

    def set_mark(self, at: npt.NDArray[np.float64] | None) -> None:
        """Mark a point, or none."""
        self.mark = at
        self.changed.emit()


def merged(
    solids: Sequence[Solid],
) -> tuple[World, npt.NDArray[np.integer[Any]], npt.NDArray[np.float32]]:
    """Points, triangles and colours of several surfaces as one, drawn in a single call."""
    points: list[World] = [np.zeros((0, 3), dtype=np.float32)]
    triangles: list[npt.NDArray[np.integer[Any]]] = [np.zeros((0, 3), dtype=np.uint32)]
    colours = [np.zeros((0, 4), dtype=np.float32)]
    first = 0
    for solid in solids:
        points.append(solid.points)
        triangles.append(solid.triangles.astype(np.uint32) + np.uint32(first))
        colours.append(solid.painted)
        first += len(solid.points)
    return np.concatenate(points), np.concatenate(triangles), np.concatenate(colours)
