"""Words and a scale over one view, drawn in one go however many they are.

napari draws each with a box of its own, a third of the time that a picture of a slice takes, and
works out the shape of each letter anew for each view while the user waits for the first picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QImage, QPainter

from napari_surgplan._stamps import Boxes, Stamps

FONT_PIXELS = 18
_OVER = 10_000
_SHADOW = "#000000"
_AROUND = ((-1, -1), (1, -1), (-1, 1), (1, 1))
_ROOM = 2
"""Pixels around a word for its shadow; the size of the white piece that bars are made of."""
_BAR_WIDTH, _TICK = 2, 4


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
        self._canvas = canvas
        self._stamps = Stamps(parent=canvas.view)
        self._stamps.order = _OVER
        self._shown: tuple[Any, ...] = ()

    def show(self, words: Sequence[Word], bar: tuple[float, float, float] | None) -> None:
        """Show these words, and a scale from left to right at a height; or none."""
        fine = float(self._canvas.native.devicePixelRatioF())
        shown = (tuple(words), bar, fine)
        if shown == self._shown:
            return
        self._shown = shown
        picture, pieces = _picture_of(words, fine)
        sizes = (pieces[:, 2:] - pieces[:, :2]) / fine
        middles = np.array([(w.x, w.y) for w in words], dtype=np.float32).reshape(-1, 2)
        first = np.round((middles - sizes / 2) * fine) / fine  # on whole pixels, to be sharp
        places = np.concatenate([first, first + sizes], axis=1)
        lines = np.zeros((0, 4), dtype=np.float32) if bar is None else _lines_of(*bar)
        black = np.repeat([[0, 0, _ROOM, _ROOM]], len(lines), axis=0)
        white = black + np.array([_ROOM, 0, _ROOM, 0])
        around = lines + np.array([-1, -1, 1, 1], dtype=np.float32)
        self._stamps.lay(
            picture,
            np.concatenate([black, white, pieces]).astype(np.float32),
            np.concatenate([around, lines, places]).astype(np.float32),
        )


def width_of(text: str) -> float:
    """Pixels that a word takes."""
    return float(QFontMetricsF(_font()).horizontalAdvance(text))


def _font() -> QFont:
    font = QFont(QGuiApplication.font().family())
    font.setPixelSize(FONT_PIXELS)
    return font


def _lines_of(left: float, right: float, y: float) -> Boxes:
    """A line with a tick at each end, ``(3, 4)``."""
    half = _BAR_WIDTH / 2
    return np.array(
        [
            (left, y - half, right, y + half),
            (left - half, y - _TICK, left + half, y + _TICK),
            (right - half, y - _TICK, right + half, y + _TICK),
        ],
        dtype=np.float32,
    )


def _picture_of(words: Sequence[Word], fine: float) -> tuple[npt.NDArray[np.uint8], Boxes]:
    """Words below each other, after a black piece and a white one; and the box of each."""
    font, metrics = _font(), QFontMetricsF(_font())
    tall = metrics.height() + 2 * _ROOM
    widths = [metrics.horizontalAdvance(word.text) + 2 * _ROOM for word in words]
    width, height = max([2 * _ROOM, *widths]), _ROOM + tall * len(words)
    size = np.ceil(np.array([width, height]) * fine).astype(int)
    image = QImage(int(size[0]), int(size[1]), QImage.Format.Format_RGBA8888)
    image.fill(0)
    painter = QPainter(image)
    painter.fillRect(0, 0, _ROOM, _ROOM, QColor(_SHADOW))
    painter.fillRect(_ROOM, 0, _ROOM, _ROOM, QColor("white"))
    painter.scale(fine, fine)
    painter.setFont(font)
    for number, word in enumerate(words):
        at = QPointF(_ROOM, _ROOM + number * tall + _ROOM + metrics.ascent())
        for dx, dy in _AROUND:
            painter.setPen(QColor(_SHADOW))
            painter.drawText(at + QPointF(dx, dy), word.text)
        painter.setPen(QColor(word.colour))
        painter.drawText(at, word.text)
    painter.end()
    rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(size[1], -1)
    picture = rows[:, : 4 * size[0]].reshape(size[1], size[0], 4).copy()
    tops = _ROOM + tall * np.arange(len(words))
    boxes = np.array([np.zeros(len(words)), tops, widths, tops + tall]).T.reshape(-1, 4) * fine
    return picture, np.round(boxes).astype(np.float32)
