"""The flat map of the cut as a widget: hover tells, a click looks there in all views."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QImage, QPainter, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_surgplan._map_picture import PIXEL_MM, MapPicture
from napari_surgplan._margin_bands import BANDS
from surgplan.planning import VesselCut

EMPTY = "The map of the cut appears here with the first plan."
_LEGEND = 26
_RULE_MM = 20.0
_LEAST_MM = 3.0


class Resectogram(QWidget):
    """A cut laid flat, seen from the resected side, head up.

    Attributes
    ----------
    pointed
        With the LPS point that was clicked.
    """

    pointed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.picture: MapPicture | None = None
        self.vessels: tuple[VesselCut, ...] = ()
        self._image = QImage()
        self._place = QRectF()
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setToolTip("The cut laid flat, seen from the resected side; click to look there")

    def sizeHint(self) -> QSize:
        """Room for a map to be read."""
        return QSize(340, 320)

    def show_picture(self, picture: MapPicture | None, vessels: tuple[VesselCut, ...]) -> None:
        """Show a map, or what to do to get one."""
        self.picture, self.vessels = picture, vessels
        if picture is not None:
            rgba = np.ascontiguousarray(picture.rgba)
            height, width = rgba.shape[:2]
            self._image = QImage(
                rgba.data, width, height, 4 * width, QImage.Format.Format_RGBA8888
            ).copy()
        self.update()

    def paintEvent(self, event: Any) -> None:
        """Map, names of segments, vessels, rule and legend."""
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        text = self.palette().color(QPalette.ColorRole.WindowText)
        if self.picture is None or not self.picture.map.on_cut.any():
            painter.setPen(text)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), int(flags), EMPTY)
            return
        self._place = self._fitted()
        painter.drawImage(self._place, self._image)
        self._draw_names(painter)
        self._draw_vessels(painter)
        self._draw_rule(painter, text)
        self._draw_legend(painter, text)

    def mousePressEvent(self, event: Any) -> None:
        """Look in all views at what was clicked."""
        point = self._point_at(event.position())
        if point is not None:
            self.pointed.emit(point)

    def mouseMoveEvent(self, event: Any) -> None:
        """Tell the margin, or the vessel, under the pointer."""
        at = event.position()
        words = self._words_at(at)
        if words:
            QToolTip.showText(event.globalPosition().toPoint(), words, self)
        else:
            QToolTip.hideText()

    def place_of(self, point_mm: Any) -> QPointF | None:
        """Where a point of the cut lies in the widget."""
        pixel = None if self.picture is None else self.picture.map.pixel_of(np.asarray(point_mm))
        if pixel is None:
            return None
        return self._place.topLeft() + QPointF(pixel[1] + 0.5, pixel[0] + 0.5) * self._scale

    @property
    def _scale(self) -> float:
        return float(self._place.width()) / max(int(self._image.width()), 1)

    def _fitted(self) -> QRectF:
        room = QRectF(self.rect()).adjusted(6, 6, -6, -_LEGEND - 14)
        scale = min(room.width() / self._image.width(), room.height() / self._image.height())
        size = self._image.size().toSizeF() * scale
        left = room.center().x() - size.width() / 2
        return QRectF(left, room.center().y() - size.height() / 2, size.width(), size.height())

    def _draw_names(self, painter: QPainter) -> None:
        if self.picture is None:
            return
        font = QFont(self.font())
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QColor(40, 44, 52))
        for word, row, column in self.picture.words:
            at = self._place.topLeft() + QPointF(column, row) * self._scale
            box = QRectF(at.x() - 20, at.y() - 10, 40, 20)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), word)

    def _draw_vessels(self, painter: QPainter) -> None:
        for vessel, place in self._vessels():
            radius = max(4.0, vessel.diameter_mm / 2 / PIXEL_MM * self._scale)
            colour = QColor(30, 110, 220) if vessel.system == "portal" else QColor(120, 60, 170)
            painter.setPen(QPen(QColor("white"), 2.0))
            painter.setBrush(QBrush(colour))
            painter.drawEllipse(place, radius, radius)

    def _vessels(self) -> Iterator[tuple[VesselCut, QPointF]]:
        for vessel in self.vessels:
            if vessel.diameter_mm >= _LEAST_MM and vessel.at == "cut":
                place = self.place_of(vessel.point_mm)
                if place is not None:
                    yield vessel, place

    def _draw_rule(self, painter: QPainter, text: QColor) -> None:
        length = _RULE_MM / PIXEL_MM * self._scale
        bottom = self.height() - _LEGEND - 6.0
        painter.setPen(QPen(text, 2))
        right = self.width() - 10.0
        painter.drawLine(QPointF(right - length, bottom), QPointF(right, bottom))
        box = QRectF(right - length - 40, bottom - 20, length + 40, 18)
        painter.setFont(self.font())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignRight), f"{_RULE_MM:.0f} mm")

    def _draw_legend(self, painter: QPainter, text: QColor) -> None:
        step = (self.width() - 12) / len(BANDS)
        top = self.height() - _LEGEND + 6.0
        for number, band in enumerate(BANDS):
            left = 6 + number * step
            red, green, blue = (round(255 * c) for c in band.colour)
            painter.fillRect(QRectF(left, top, 12, 12), QColor(red, green, blue))
            painter.setPen(text)
            box = QRectF(left + 16, top - 3, step - 16, 18)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignVCenter), band.word)

    def _pixel_at(self, at: QPointF) -> tuple[int, int] | None:
        if self.picture is None or not self._place.contains(at):
            return None
        off = (at - self._place.topLeft()) / self._scale
        row, column = int(off.y()), int(off.x())
        on = self.picture.map.on_cut
        inside = row < on.shape[0] and column < on.shape[1] and bool(on[row, column])
        return (row, column) if inside else None

    def _point_at(self, at: QPointF) -> Any:
        pixel = self._pixel_at(at)
        return None if pixel is None or self.picture is None else self.picture.map.points_mm[pixel]

    def _words_at(self, at: QPointF) -> str:
        for vessel, place in self._vessels():
            off = at - place
            if off.x() ** 2 + off.y() ** 2 <= (vessel.diameter_mm / PIXEL_MM * self._scale) ** 2:
                return f"{vessel.name}, ⌀ {vessel.diameter_mm:.1f} mm"
        pixel = self._pixel_at(at)
        if pixel is None or self.picture is None:
            return ""
        margin = float(self.picture.map.margin_mm[pixel])
        return f"{margin:.1f} mm to the nearest tumour" if np.isfinite(margin) else "no tumour"
