"""Words and a scale over one view, drawn in two goes however many they are.

napari draws each with a box of its own: a third of the time that a picture of a slice takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari._vispy.visuals.text import Text
from qtpy.QtGui import QFont, QFontMetricsF, QGuiApplication
from vispy.color import ColorArray
from vispy.scene.visuals import Line

FONT_SIZE = 10
_PIXELS_PER_POINT = (96 / 72) ** 2  # of screens, and once more of vispy
_OVER = 10_000
_SHADOW = "#000000"
_BAR_COLOUR, _BAR_WIDTH, _TICK = "#ffffff", 2, 4


@dataclass(frozen=True, kw_only=True)
class Word:
    """A text whose middle lies at a place in pixels from the upper left corner."""

    text: str
    x: float
    y: float
    colour: str


class Marks:
    """Draws words, each with a shadow that tells it from bright tissue, and a scale.

    Parameters
    ----------
    canvas
        napari's canvas of a view.
    """

    def __init__(self, canvas: Any) -> None:
        self._words = Text(
            text=[" "], pos=[(0, 0)], anchor_x="center", anchor_y="center",
            font_info=canvas.font_info(), parent=canvas.view,
        )  # fmt: skip
        self._words.font_size = FONT_SIZE
        self._bar = Line(
            connect="segments", method="gl", color=_BAR_COLOUR, width=_BAR_WIDTH, parent=canvas.view
        )
        self._words.order = self._bar.order = _OVER
        self._shown: tuple[Any, ...] = ()

    def show(self, words: Sequence[Word], bar: tuple[float, float, float] | None) -> None:
        """Show these words, and a scale from left to right at a height; or none."""
        shown = (tuple(words), bar)
        if shown == self._shown:
            return
        self._shown = shown
        both = [(w, dx, _SHADOW) for w in words for dx in (-1, 1)]
        both += [(w, 0, w.colour) for w in words]
        self._words.visible = bool(both)
        if both:
            self._words.text = [w.text for w, _, _ in both]
            self._words.pos = [(w.x + dx, w.y + abs(dx)) for w, dx, _ in both]
            self._words.color = ColorArray([colour for _, _, colour in both])
        self._bar.visible = bar is not None
        if bar is not None:
            left, right, y = bar
            ends = [(left, y), (right, y)]
            ends += [(x, y + tick) for x in (left, right) for tick in (-_TICK, _TICK)]
            self._bar.set_data(pos=np.array(ends, dtype=np.float32))


def width_of(text: str) -> float:
    """Pixels that a word takes."""
    font = QFont(QGuiApplication.font().family())
    font.setPixelSize(round(FONT_SIZE * _PIXELS_PER_POINT))
    return float(QFontMetricsF(font).horizontalAdvance(text))
