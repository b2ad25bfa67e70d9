"""Cameras and what they look at: 3D views as plain values, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.errors import UsageError

LETTER_SHARE = 0.4  # a direction is named by every axis that makes up this much of it


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A surface as shown in one view.

    Attributes
    ----------
    points, triangles
        ``(n, 3)`` LPS mm and ``(m, 3)`` vertex indices.
    colour
        Red, green, blue, 0..255 each: one for all, or ``(n, 3)`` one per point.
    opacity
        0 clear to 1 solid.
    keep
        ``(n,)`` signed values; shown is what lies above 0, cut exactly between the vertices.
        None shows all.
    """

    points: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.integer]
    colour: tuple[int, int, int] | npt.NDArray[np.uint8]
    opacity: float = 1.0
    keep: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """Parallel projection: millimetres are the same everywhere in the picture.

    Attributes
    ----------
    focal_mm
        LPS point in the middle of the picture.
    towards
        LPS unit vector from there to the viewer.
    up
        LPS unit vector that points up in the picture, perpendicular to `towards`.
    half_height_mm
        From the middle of the picture to its upper edge.
    size
        Pixels (width, height).
    """

    focal_mm: npt.NDArray[np.float64]
    towards: npt.NDArray[np.float64]
    up: npt.NDArray[np.float64]
    half_height_mm: float
    size: tuple[int, int]

    @property
    def right(self) -> npt.NDArray[np.float64]:
        """LPS unit vector that points right in the picture."""
        return np.cross(self.up, self.towards)

    @property
    def mm_per_pixel(self) -> float:
        """Size of a pixel in the patient."""
        return 2 * self.half_height_mm / self.size[1]

    @property
    def half_width_mm(self) -> float:
        """From the middle of the picture to its right edge."""
        return self.half_height_mm * self.size[0] / self.size[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What a camera sees."""

    camera: Camera
    layers: tuple[Layer, ...]


def look_from(
    direction: tuple[float, float, float] | npt.NDArray[np.float64],
    points_mm: npt.NDArray[np.float64],
    *,
    size: tuple[int, int],
    border: float = 0.12,
) -> Camera:
    """Camera that sees all points from one side, up as when tipping over from the front.

    Parameters
    ----------
    direction
        LPS vector from the patient to the viewer.
    points_mm
        ``(n, 3)`` LPS points that must fit into the picture.
    size
        Pixels (width, height).
    border
        Free share around the points.
    """
    towards = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(towards))
    if not length > 0 or len(points_mm) == 0:
        msg = f"a camera needs a direction and points to see, got {direction} and {len(points_mm)}"
        raise UsageError(msg)
    towards = towards / length
    # tipping the view over from the front keeps the patient's right on the left
    upwards = np.array([0.0, 0.0, 1.0] if abs(towards[2]) < 0.9 else [0.0, np.sign(towards[2]), 0])
    up = upwards - (upwards @ towards) * towards
    up /= np.linalg.norm(up)
    right = np.cross(up, towards)
    across, along = points_mm @ right, points_mm @ up
    half_width = (across.max() - across.min()) / 2
    half_height = (along.max() - along.min()) / 2
    middle = right * (across.max() + across.min()) / 2 + up * (along.max() + along.min()) / 2
    depth = points_mm @ towards
    return Camera(
        focal_mm=middle + towards * (depth.max() + depth.min()) / 2,
        towards=towards,
        up=up,
        half_height_mm=(1 + border) * max(half_height, half_width * size[1] / size[0], 1.0),
        size=size,
    )


def direction_letters(vector: npt.NDArray[np.float64]) -> str:
    """Where an LPS vector points in the patient, largest share first.

    >>> direction_letters(np.array([0.0, -1.0, 0.0]))
    'A'
    >>> direction_letters(np.array([-0.8, 0.6, 0.1]))
    'RP'
    """
    unit = vector / np.linalg.norm(vector)
    order = np.argsort(-np.abs(unit), kind="stable")
    letters = ["LPS"[axis] if unit[axis] > 0 else "RAI"[axis] for axis in order]
    return "".join(
        letter
        for letter, axis in zip(letters, order, strict=True)
        if abs(unit[axis]) >= LETTER_SHARE
    )


def direction_words(vector: npt.NDArray[np.float64]) -> str:
    """From which side one looks, for a vector from the patient to the viewer.

    >>> direction_words(np.array([-0.8, -0.6, 0.1]))
    'from the right and the front'
    """
    words = {"L": "the left", "R": "the right", "A": "the front", "P": "the back"}
    words |= {"S": "above", "I": "below"}
    return "from " + " and ".join(words[letter] for letter in direction_letters(vector))
