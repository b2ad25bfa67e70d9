"""The list of structures: eye, colour, opacity, millilitres, how sure the model was."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_surgplan._rows import Part, Row, middle_mm
from napari_surgplan._session import Session
from surgplan.volume import Segment

DOUBTFUL = 0.8
"""Mean confidence below which a structure is pointed out."""
WARNING = QColor("#f2994a")
_BOXES = """
QTreeWidget::indicator { width: 11px; height: 11px; border: 1px solid gray; border-radius: 2px; }
QTreeWidget::indicator:checked { background-color: #5b8def; }
"""
"""Napari's own are not seen on a dark theme unless they are ticked."""
NAME, VOLUME, SURE = range(3)
_SEGMENT = int(Qt.ItemDataRole.UserRole)
_PLACE = _SEGMENT + 1


class StructureList(QWidget):
    """A row for each structure and each tumour; a click brings all views to its middle."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.rows: tuple[Row, ...] = ()
        self.tree = QTreeWidget()
        self.tree.setColumnCount(3)
        self.tree.setHeaderLabels(["Structure", "Volume", "Sure"])
        self.tree.setIndentation(14)
        self.tree.setStyleSheet(_BOXES)
        self.tree.setToolTip("Tick: show. Click: go there. Double click: colour.")
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (VOLUME, SURE):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.setToolTip("How solid the chosen structure looks in 3D")
        line = QHBoxLayout()
        line.addWidget(QLabel("Opacity"))
        line.addWidget(self.opacity)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tree)
        layout.addLayout(line)
        self.tree.itemChanged.connect(self._ticked)
        self.tree.itemClicked.connect(self._clicked)
        self.tree.itemDoubleClicked.connect(self._ask_colour)
        self.tree.currentItemChanged.connect(lambda now, _: self._chosen(now))
        self.opacity.valueChanged.connect(self._fade)

    def show_rows(self, rows: tuple[Row, ...]) -> None:
        """Show these structures; the one chosen stays chosen."""
        chosen = self.current()
        self.rows = rows
        blocker = QSignalBlocker(self.tree)
        self.tree.clear()
        for row in rows:
            item = QTreeWidgetItem(self.tree)
            self._fill(item, row)
            if chosen is not None and row.segment.label == chosen.label:
                self.tree.setCurrentItem(item)
        blocker.unblock()
        if self.tree.currentItem() is None and rows:
            self.tree.setCurrentItem(self.tree.topLevelItem(0))

    def current(self) -> Segment | None:
        """The structure chosen."""
        item = self.tree.currentItem()
        return None if item is None else item.data(NAME, _SEGMENT)

    def _fill(self, item: QTreeWidgetItem, row: Row) -> None:
        shown = self.session.shown
        item.setText(NAME, row.segment.name)
        item.setData(NAME, _SEGMENT, row.segment)
        item.setText(VOLUME, f"{row.volume_ml:.1f} ml")
        item.setText(SURE, "" if row.confidence is None else f"{100 * row.confidence:.0f} %")
        if row.confidence is not None and row.confidence < DOUBTFUL:
            item.setForeground(SURE, WARNING)
            item.setToolTip(SURE, "The model was not sure here: check the outline on the slices")
        for column in (VOLUME, SURE):
            item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
        if shown is not None:
            look = shown.look(row.segment)
            state = Qt.CheckState.Checked if look.visible else Qt.CheckState.Unchecked
            item.setCheckState(NAME, state)
            item.setIcon(NAME, _patch(QColor(*look.colour)))

        for part in row.parts:
            self._add_part(item, part)
        item.setExpanded(True)

    def _add_part(self, item: QTreeWidgetItem, part: Part) -> None:
        below = QTreeWidgetItem(item, [part.name, f"{part.volume_ml:.1f} ml"])
        below.setData(NAME, _SEGMENT, item.data(NAME, _SEGMENT))
        below.setData(NAME, _PLACE, part.centre_mm)
        below.setTextAlignment(VOLUME, Qt.AlignmentFlag.AlignRight)

    def _ticked(self, item: QTreeWidgetItem, column: int) -> None:
        whole = item.data(NAME, _PLACE) is None
        if column == NAME and whole and self.session.shown is not None:
            segment = item.data(NAME, _SEGMENT)
            visible = item.checkState(NAME) == Qt.CheckState.Checked
            if self.session.shown.look(segment).visible != visible:
                self.session.shown.set_look(segment, visible=visible)

    def _clicked(self, item: QTreeWidgetItem) -> None:
        label_map, place_mm = self.session.label_map, item.data(NAME, _PLACE)
        if place_mm is not None:
            self.session.focus(place_mm)
        elif label_map is not None:
            self.session.focus(middle_mm(label_map, item.data(NAME, _SEGMENT)))

    def _chosen(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and self.session.shown is not None:
            look = self.session.shown.look(item.data(NAME, _SEGMENT))
            blocker = QSignalBlocker(self.opacity)
            self.opacity.setValue(round(100 * look.opacity))
            blocker.unblock()

    def _fade(self, percent: int) -> None:
        segment = self.current()
        if segment is not None and self.session.shown is not None:
            self.session.shown.set_look(segment, opacity=percent / 100)

    def _ask_colour(self, item: QTreeWidgetItem) -> None:
        segment, shown = item.data(NAME, _SEGMENT), self.session.shown
        if shown is None or item.data(NAME, _PLACE) is not None:
            return
        colour = QColorDialog.getColor(QColor(*shown.look(segment).colour), self, segment.name)
        if colour.isValid():
            shown.set_look(segment, colour=(colour.red(), colour.green(), colour.blue()))
            item.setIcon(NAME, _patch(colour))


def _patch(colour: QColor) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(colour)
    return QIcon(pixmap)
