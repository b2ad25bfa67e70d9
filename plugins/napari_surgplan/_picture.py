"""What the views show, as a picture that carries the disclaimer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QRect, Qt
from qtpy.QtGui import QColor, QPainter, QPixmap

import surgplan
from surgplan.errors import OutputError
from surgplan.io import atomic_file

FOOT = 26


def save_picture(viewer: Any, path: Path) -> None:
    """Write the views of a window as PNG, the disclaimer beneath.

    Raises `OutputError` if the file cannot be written.
    """
    shown = viewer.window._qt_viewer.window().centralWidget().grab()
    picture = QPixmap(shown.width(), shown.height() + FOOT)
    picture.fill(QColor("black"))
    painter = QPainter(picture)
    painter.drawPixmap(0, 0, shown)
    painter.setPen(QColor("white"))
    foot = QRect(8, shown.height(), shown.width() - 16, FOOT)
    painter.drawText(foot, Qt.AlignmentFlag.AlignVCenter, surgplan.NOT_A_MEDICAL_DEVICE)
    painter.end()
    with atomic_file(path) as temporary:
        if not picture.save(str(temporary), "PNG"):
            msg = f"cannot write {path}; choose a folder that can be written and has room"
            raise OutputError(msg)
