"""Three orthogonal slices through a point, with the outlines that matter, as one picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy import ndimage

from surgplan.report._colours import CUT, LIVER_OUTLINE, hex_colour, on_dark
from surgplan.report._picture import (
    Picture,
    canvas,
    finish,
    image_axes,
    letters_at_edges,
    outlined,
    scale_bar,
)
from surgplan.report._slices import Contours, Plane, planes_through
from surgplan.report._window import Window
from surgplan.volume import LIVER_TUMOUR, LabelMap, Segment, Volume, box_of, crop

PANEL_PX = 480
GAP_PX = 6
_BORDER_MM = 15.0
_TINT = 0.16  # over the resected part
_TEXT = outlined("white", "black")

Distance = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceStack:
    """What all slice pictures of a report share.

    Attributes
    ----------
    volume, label_map
        On the same grid, axes superior, posterior, left.
    liver
        ``(slice, row, column)`` bool, the whole liver.
    structures
        Those of the label map that are drawn besides the liver and the cut, last on top.
    window
        Grey levels.
    """

    volume: Volume
    label_map: LabelMap
    liver: npt.NDArray[np.bool_]
    structures: tuple[Segment, ...]
    window: Window

    def around_liver(self) -> SliceStack:
        """The stack cropped around the liver; the whole of it where there is no liver."""
        if not self.liver.any():
            return self
        box = box_of(self.liver, self.volume.geometry, margin_mm=_BORDER_MM)
        return replace(
            self,
            volume=crop(self.volume, box),
            label_map=crop(self.label_map, box),
            liver=self.liver[box],
        )


def slice_picture(
    stack: SliceStack, point_mm: npt.ArrayLike, *, cut: Distance | None, alt: str, caption: str
) -> Picture:
    """Axial, coronal and sagittal slice through a point, all at the same scale.

    Parameters
    ----------
    stack
        Scan and structures, usually `SliceStack.around_liver`.
    point_mm
        LPS; marked by a cross.
    cut
        Signed distance of ``(n, 3)`` LPS points to a resection, drawn where it is 0 inside the
        liver; None draws none.
    alt, caption
        Words for the picture; the caption gains the slice numbers.
    """
    planes = planes_through(stack.volume.geometry, point_mm)
    sizes = [_size_mm(plane) for plane in planes]
    high = max(h for _, h in sizes)
    px_per_mm = PANEL_PX * len(planes) / sum(w for w, _ in sizes)
    width = PANEL_PX * len(planes) + GAP_PX * (len(planes) - 1)
    height = max(1, round(high * px_per_mm))
    figure = canvas(width, height, background="black")
    left = 0.0
    for plane, (wide, _) in zip(planes, sizes, strict=True):
        box = (left / width, 0.0, wide * px_per_mm / width, 1.0)
        axes = image_axes(figure, box)
        _fit(axes, plane, high)
        _draw(axes, plane, stack, cut)
        _mark(axes, plane, point_mm)
        letters_at_edges(axes, plane.letters, _TEXT, points=14)
        left += wide * px_per_mm + GAP_PX
    scale_bar(figure.axes[0], 1 / sizes[0][0], _TEXT, points=12)
    return finish(figure, alt=alt, caption=caption)


def _size_mm(plane: Plane) -> tuple[float, float]:
    left, right, bottom, top = plane.extent_mm
    return right - left, top - bottom


def _fit(axes: Axes, plane: Plane, high_mm: float) -> None:
    left, right, bottom, top = plane.extent_mm
    middle = (bottom + top) / 2
    axes.set_xlim(left, right)
    axes.set_ylim(middle - high_mm / 2, middle + high_mm / 2)


def _draw(axes: Axes, plane: Plane, stack: SliceStack, cut: Distance | None) -> None:
    low, high = stack.window.limits
    axes.imshow(
        plane.cut(stack.volume.array), cmap="gray", vmin=low, vmax=high, interpolation="bilinear",
        extent=plane.extent_mm, aspect="auto",
    )  # fmt: skip
    liver, labels = plane.cut(stack.liver), plane.cut(stack.label_map.array)
    _lines(axes, plane.outlines(liver), hex_colour(LIVER_OUTLINE), 1.1)
    for segment in stack.structures:
        thick = 1.7 if segment.code == LIVER_TUMOUR.code else 1.0
        outlines = plane.outlines(labels == segment.label)
        _lines(axes, outlines, on_dark(segment.colour), thick)
    if cut is not None:
        _draw_cut(axes, plane, liver, cut)


def _draw_cut(axes: Axes, plane: Plane, liver: npt.NDArray[np.bool_], cut: Distance) -> None:
    near = ndimage.binary_dilation(liver, iterations=2)
    values = np.full(liver.shape, np.nan)
    values[near] = cut(plane.points_mm()[near])
    tint = np.zeros((*values.shape, 4))
    tint[..., :3] = np.asarray(CUT) / 255
    tint[..., 3] = _TINT * ((values < 0) & liver)
    axes.imshow(tint, interpolation="bilinear", extent=plane.extent_mm, aspect="auto")
    line = plane.zero_line(values, liver)
    _lines(axes, line, "white", 3.4)
    _lines(axes, line, hex_colour(CUT), 2.2)


def _lines(axes: Axes, lines: Contours, colour: str, thickness: float) -> None:
    for line in lines:
        axes.plot(line[:, 0], line[:, 1], color=colour, lw=thickness, solid_joinstyle="round")


def _mark(axes: Axes, plane: Plane, point_mm: npt.ArrayLike) -> None:
    """Four short strokes around the point, its middle left free."""
    x, y = plane.place(point_mm)
    for inner, outer in ((4.0, 11.0), (-4.0, -11.0)):
        axes.plot([x + inner, x + outer], [y, y], color="white", lw=1.0)
        axes.plot([x, x], [y + inner, y + outer], color="white", lw=1.0)
