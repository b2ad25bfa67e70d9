"""The numbers of the plan at work, and plans side by side."""

from __future__ import annotations

from collections.abc import Sequence

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor, QFont
from qtpy.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QTreeWidget, QTreeWidgetItem

from napari_surgplan._icons import icon
from napari_surgplan._plan_rows import Row, compared
from surgplan.planning import Plan

STATE_COLOURS = {"good": QColor("#4caf7a"), "bad": QColor("#ef6461")}
_MARKS = {"good": "✓ ", "bad": "✗ ", "plain": ""}
_ROW_PIXELS = 22
_POINT = int(Qt.ItemDataRole.UserRole)


class PlanTable(QTreeWidget):
    """Rows of an assessment by group; a click on a row with a place looks there.

    Attributes
    ----------
    pointed
        With the LPS point of the row.
    """

    pointed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[Row, ...] = ()
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(True)
        self.setIndentation(12)
        self.setUniformRowHeights(True)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.setToolTip("Click a row with a target to look there in all views")
        self.itemClicked.connect(self._clicked)
        self.itemActivated.connect(self._clicked)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show other numbers; what was folded stays folded."""
        top = [self.topLevelItem(n) for n in range(self.topLevelItemCount())]
        folded = {item.text(0) for item in top if not item.isExpanded()}
        folded = folded if top else {"Distances", "Volumes"}
        self.rows = tuple(rows)
        self.clear()
        groups: dict[str, QTreeWidgetItem] = {}
        for row in rows:
            parent = groups.get(row.group)
            if parent is None:
                parent = groups[row.group] = QTreeWidgetItem(self, [row.group, ""])
                font = QFont(self.font())
                font.setBold(True)
                parent.setFont(0, font)
            parent.addChild(_item(row))
        for name, parent in groups.items():
            parent.setExpanded(name not in folded)
            parent.setText(1, str(parent.childCount()) if name in folded else "")

    def fade(self, *, faded: bool) -> None:
        """Grey while the numbers are being worked out anew."""
        self.setEnabled(not faded)

    def _clicked(self, item: QTreeWidgetItem) -> None:
        point = item.data(0, _POINT)
        if point is not None:
            self.pointed.emit(point)


class CompareTable(QTableWidget):
    """Plans side by side; the best of each row stands out where there is a best.

    Attributes
    ----------
    chosen
        With the name of the plan whose column was double-clicked.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.verticalHeader().setDefaultSectionSize(_ROW_PIXELS)
        self.verticalHeader().setMinimumSectionSize(_ROW_PIXELS)
        self.setToolTip("Double-click a column to work on that plan")
        self.cellDoubleClicked.connect(self._choose)
        self._names: list[str] = []

    def show_plans(self, plans: Sequence[Plan], current: str | None) -> None:
        """Show these plans, the one at work in bold."""
        self._names = [plan.name for plan in plans]
        self.clear()
        self.setColumnCount(len(plans))
        if not plans:
            self.setRowCount(0)
            return
        names, columns = compared([(p.name, p.assessment) for p in plans])
        self.setRowCount(len(names))
        self.setVerticalHeaderLabels(names)
        self.setHorizontalHeaderLabels(self._names)
        for number, column in enumerate(columns):
            for place, text in enumerate(column):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if text in ("yes", "no"):
                    item.setForeground(QBrush(STATE_COLOURS["good" if text == "yes" else "bad"]))
                font = item.font()
                font.setBold(self._names[number] == current)
                item.setFont(font)
                self.setItem(place, number, item)
        self.resizeColumnsToContents()

    def _choose(self, _: int, column: int) -> None:
        self.chosen.emit(self._names[column])


def _item(row: Row) -> QTreeWidgetItem:
    item = QTreeWidgetItem([row.name, f"{_MARKS[row.state]}{row.text}"])
    if row.point_mm is not None:
        item.setIcon(0, icon("target"))
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setData(0, _POINT, row.point_mm)
    for column in (0, 1):
        item.setToolTip(column, f"{row.name}: {row.text}\n{row.tip}".strip())
    if row.state in STATE_COLOURS:
        item.setForeground(1, QBrush(STATE_COLOURS[row.state]))
    return item
