"""Small drawings for buttons, in colours that show on dark and light themes alike."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

SIZE = 48
_CUT = QColor("#f2994a")
_LINE = QColor("#9aa7b8")
_FADED = 0.35


def icon(name: str) -> QIcon:
    """The icon of a name in `DRAWINGS`, faded where its button cannot be pressed."""
    found = QIcon(_drawn(name, opacity=1.0))
    found.addPixmap(_drawn(name, opacity=_FADED), QIcon.Mode.Disabled)  # Qt's own is brighter
    return found


def _drawn(name: str, opacity: float) -> QPixmap:
    pixmap = QPixmap(SIZE, SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setOpacity(opacity)
    painter.scale(SIZE / 24, SIZE / 24)
    DRAWINGS[name](painter, _LINE)
    painter.end()
    return pixmap


def _pen(colour: QColor, width: float = 1.6) -> QPen:
    pen = QPen(colour, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def _liver(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(2.5, 13))
    path.cubicTo(2, 6, 8, 4, 13, 5.5)
    path.cubicTo(17, 6.5, 20, 6, 21.5, 7.5)
    path.cubicTo(21.5, 11, 16, 13, 12.5, 15)
    path.cubicTo(9, 17.5, 7, 20.5, 4.5, 19)
    path.cubicTo(3, 18, 2.7, 16, 2.5, 13)
    painter.setPen(_pen(colour, 1.3))
    painter.drawPath(path)


def _plane(painter: QPainter, colour: QColor) -> None:
    _liver(painter, colour)
    painter.setPen(_pen(_CUT, 2.2))
    painter.drawLine(QPointF(14.5, 2.5), QPointF(7.5, 21.5))


def _curved(painter: QPainter, colour: QColor) -> None:
    _liver(painter, colour)
    path = QPainterPath(QPointF(16, 2.5))
    path.cubicTo(8, 8, 17, 14, 7, 21.5)
    painter.setPen(_pen(_CUT, 2.2))
    painter.drawPath(path)


def _bowl(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(2, 9))
    path.cubicTo(8, 9, 12, 13, 11.5, 21)
    _around(painter, colour, path, QPointF(6.5, 14.5))


def _wedge(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(5, 3))
    path.cubicTo(5.5, 15, 14, 15, 15, 3)
    _around(painter, colour, path, QPointF(10, 8))


def _around(painter: QPainter, colour: QColor, path: QPainterPath, tumour: QPointF) -> None:
    """A liver with a cut around its tumour."""
    _liver(painter, colour)
    painter.setPen(_pen(_CUT, 2.2))
    painter.drawPath(path)
    painter.setBrush(colour)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(tumour, 1.8, 1.8)


def _branch(painter: QPainter, colour: QColor) -> None:
    painter.setPen(_pen(colour, 2.0))
    painter.drawLine(QPointF(12, 22), QPointF(12, 14))
    painter.drawLine(QPointF(12, 14), QPointF(5, 7))
    painter.setPen(_pen(_CUT, 2.2))
    for end in (QPointF(14, 3), QPointF(21, 6)):
        painter.drawLine(QPointF(16, 9), end)
    painter.drawLine(QPointF(12, 14), QPointF(16, 9))


def _draw(painter: QPainter, colour: QColor) -> None:
    _liver(painter, colour)
    pen = _pen(_CUT, 2.2)
    pen.setStyle(Qt.PenStyle.DotLine)
    path = QPainterPath(QPointF(15, 4))
    path.cubicTo(9, 8, 13, 14, 6, 20)
    painter.setPen(pen)
    painter.drawPath(path)


def _target(painter: QPainter, colour: QColor) -> None:
    painter.setPen(_pen(colour, 2.0))
    painter.drawEllipse(QPointF(12, 12), 5.5, 5.5)
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        painter.drawLine(QPointF(12 + 4 * x, 12 + 4 * y), QPointF(12 + 10 * x, 12 + 10 * y))


def _back(painter: QPainter, colour: QColor) -> None:
    path = QPainterPath(QPointF(5, 9))
    path.lineTo(15, 9)
    path.cubicTo(22, 9, 22, 19, 15, 19)
    path.lineTo(9, 19)
    path.moveTo(9.5, 4.5)
    path.lineTo(5, 9)
    path.lineTo(9.5, 13.5)
    painter.setPen(_pen(colour, 2.2))
    painter.drawPath(path)


def _forward(painter: QPainter, colour: QColor) -> None:
    painter.translate(24, 0)
    painter.scale(-1, 1)
    _back(painter, colour)


def _play(painter: QPainter, colour: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon([QPointF(6, 3), QPointF(21, 12), QPointF(6, 21)])


def _pause(painter: QPainter, colour: QColor) -> None:
    for left in (5, 14):
        painter.fillRect(left, 4, 5, 16, colour)


DRAWINGS: dict[str, Callable[[QPainter, QColor], None]] = {
    "plane": _plane,
    "curved": _curved,
    "bowl": _bowl,
    "wedge": _wedge,
    "territory": _branch,
    "drawn": _draw,
    "target": _target,
    "undo": _back,
    "redo": _forward,
    "play": _play,
    "pause": _pause,
}
