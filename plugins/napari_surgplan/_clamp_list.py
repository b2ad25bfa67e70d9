"""Branches to be clamped, and what that costs."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_surgplan._rehearser import Clamp, Rehearser

NOTHING = "Nothing is clamped."
_CLAMP = Qt.ItemDataRole.UserRole
_BOXES = """
QListWidget::indicator { width: 11px; height: 11px; border: 1px solid gray; border-radius: 2px; }
QListWidget::indicator:checked { background-color: orange; }
"""


class ClampList(QWidget):
    """A line to tick for each named branch of a rehearsal."""

    def __init__(self, rehearser: Rehearser) -> None:
        super().__init__()
        self.rehearser = rehearser
        self.lines = QListWidget()
        self.lines.setStyleSheet(_BOXES)
        self.lines.setToolTip(
            "Tick a branch, or click a vessel in 3D: what loses its supply turns dark"
        )
        self.loss = QLabel()
        self.loss.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("<b>Clamp</b>: tick a branch, or click a vessel in 3D"))
        layout.addWidget(self.lines)
        layout.addWidget(self.loss)
        self.lines.itemChanged.connect(lambda item: rehearser.clamp(item.data(_CLAMP)))
        rehearser.stage_changed.connect(self._fill)
        rehearser.clamps_changed.connect(self._show)

    def _fill(self) -> None:
        with QSignalBlocker(self.lines):
            self.lines.clear()
            for clamp in self.rehearser.branches():
                self.lines.addItem(_line(clamp))
        self._show()

    def _show(self) -> None:
        clamps = self.rehearser.clamps
        stage = self.rehearser.stage
        unknown = () if stage is None else stage.prepared.perfusions.missing
        self.loss.setText("\n".join(("; ".join(map(_lost, clamps)) or NOTHING, *unknown)))
        closed = {(c.system, c.branch) for c in clamps}
        with QSignalBlocker(self.lines):
            for item in map(self.lines.item, range(self.lines.count())):
                clamp = item.data(_CLAMP)
                ticked = (clamp.system, clamp.branch) in closed
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)


def _lost(clamp: Clamp) -> str:
    how = "without supply" if clamp.system == "portal" else "congested"
    return f"{clamp.name} closed: {clamp.lost_ml:.0f} ml {how}"


def _line(clamp: Clamp) -> QListWidgetItem:
    what = "supplies" if clamp.system == "portal" else "drains"
    item = QListWidgetItem(f"{clamp.name}: {what} {clamp.lost_ml:.0f} ml")
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
    item.setCheckState(Qt.CheckState.Unchecked)
    item.setData(_CLAMP, clamp)
    return item
