"""What the views show, as pictures that carry the disclaimer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QFontMetrics, QGuiApplication, QImage, QPainter

import surgplan
from napari_surgplan._film import Picture
from surgplan.errors import OutputError
from surgplan.io import atomic_file

_PADDING = 6
_FLAGS = int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap)


def save_picture(viewer: Any, path: Path) -> None:
    """Write the views of a window as PNG, the disclaimer beneath.

    Raises `OutputError` if the file cannot be written.
    """
    shown = viewer.window._qt_viewer.window().centralWidget().grab().toImage()
    foot = _foot(shown.width())
    picture = QImage(shown.width(), shown.height() + foot.height(), QImage.Format.Format_RGB888)
    painter = QPainter(picture)
    painter.drawImage(0, 0, shown)
    painter.drawImage(0, shown.height(), foot)
    painter.end()
    with atomic_file(path) as temporary:
        if not picture.save(str(temporary), "PNG"):
            msg = f"cannot write {path}; choose a folder that can be written and has room"
            raise OutputError(msg)


def with_notice(picture: Picture) -> Picture:
    """A picture ``(h, w, 3 or 4)`` as ``(h + foot, w, 3)``, the disclaimer beneath."""
    foot = _foot(picture.shape[1])
    rows = np.frombuffer(foot.constBits(), dtype=np.uint8).reshape(foot.height(), -1)
    words = rows[:, : 3 * foot.width()].reshape(foot.height(), foot.width(), 3)
    return np.vstack([picture[..., :3], words])


def _foot(width: int) -> QImage:
    """The disclaimer, white on black, in as many lines as the width asks for."""
    room = QRect(_PADDING, 0, max(width - 2 * _PADDING, 1), 10_000)
    words = surgplan.NOT_A_MEDICAL_DEVICE
    needed = QFontMetrics(QGuiApplication.font()).boundingRect(room, _FLAGS, words).height()
    foot = QImage(width, needed + _PADDING, QImage.Format.Format_RGB888)
    foot.fill(QColor("black"))
    painter = QPainter(foot)
    painter.setFont(QGuiApplication.font())
    painter.setPen(QColor("white"))
    painter.drawText(QRect(_PADDING, 0, room.width(), foot.height()), _FLAGS, words)
    painter.end()
    return foot
