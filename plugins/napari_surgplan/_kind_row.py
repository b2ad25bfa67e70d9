"""A button for each kind of cut."""

from __future__ import annotations

from functools import partial

from psygnal import Signal
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_surgplan._icons import icon

KINDS: tuple[tuple[str, str, str], ...] = (
    ("plane", "Plane", "A flat cut beside the tumours that keeps the most liver"),
    ("curved", "Curved", "A flat patch to be bent by its sixteen handles"),
    ("bowl", "Bowl", "A patch bent around the tumours, to be bent further by its handles"),
    ("wedge", "Wedge", "All within the margin of the tumours, out the shortest way"),
    ("territory", "Branch", "Then click a vessel: the territory that hangs on it is resected"),
    ("drawn", "Draw", "Then click points on the liver: the cut runs through them"),
)
"""Kind, word and tip; Ctrl and the place in this row is the key."""
_ICON = 30


class KindRow(QWidget):
    """Begins cuts.

    Attributes
    ----------
    chosen
        With the kind.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.buttons: dict[str, QToolButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for place, (kind, word, tip) in enumerate(KINDS):
            button = self.buttons[kind] = QToolButton()
            key = f"Ctrl+{place + 1}"
            button.setText(word)
            button.setIcon(icon(kind))
            button.setIconSize(QSize(_ICON, _ICON))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setToolTip(f"{tip} ({key})")
            button.setShortcut(key)
            button.setMinimumWidth(56)
            button.clicked.connect(partial(self.chosen.emit, kind))
            layout.addWidget(button, 1)
