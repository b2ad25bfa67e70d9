"""A sentence that stands out."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

_LEAST_PIXELS = 50
"""Two lines, so that most sentences take the same room."""
_PADDING, _ROUND = 6, 4
_INSIDE = (_PADDING, _PADDING, -_PADDING, -_PADDING)
_FLAGS = int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap)


class Verdict(QWidget):
    """White words on a colour, all of them however many there are.

    For each text of a label Qt lays out and paints everything around it anew; here only where the
    sentence takes more lines than the one before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._text, self._colour = "", QColor()
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        self.setFont(font)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._fit()

    def text(self) -> str:
        """The sentence."""
        return self._text

    def say(self, text: str, colour: str) -> None:
        """Show a sentence on a colour, ``#rrggbb``."""
        if (text, QColor(colour)) != (self._text, self._colour):
            self._text, self._colour = text, QColor(colour)
            self.setAccessibleName(text)
            self._fit()
            self.update()

    def resizeEvent(self, event: Any) -> None:
        """As many lines as the width asks for. Name given by Qt."""
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: Any) -> None:
        """The colour, and the words. Name given by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawRoundedRect(self.rect(), _ROUND, _ROUND)
        painter.setPen(Qt.GlobalColor.white)
        painter.drawText(self.rect().adjusted(*_INSIDE), _FLAGS, self._text)

    def _fit(self) -> None:
        room = QRect(0, 0, max(1, self.width() - 2 * _PADDING), 10_000)
        words = QFontMetrics(self.font()).boundingRect(room, _FLAGS, self._text)
        height = max(_LEAST_PIXELS, words.height() + 2 * _PADDING)
        if height != self.minimumHeight():
            self.setFixedHeight(height)
