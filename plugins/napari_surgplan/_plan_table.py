"""The numbers of the plan at work, and plans side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QBrush, QColor, QFont, QIcon, QPalette
from qtpy.QtWidgets import (
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from napari_surgplan._icons import icon
from napari_surgplan._plan_columns import compared
from napari_surgplan._plan_rows import Row
from surgplan.planning import Plan, Standing

STATE_COLOURS = {"good": ("#4caf7a", "#1f6f43"), "bad": ("#ef6461", "#a8231d")}
"""On a dark theme, and on a light one."""
_MARKS = {"good": "✓ ", "bad": "✗ ", "plain": ""}
_ROW_PIXELS = 22
_WIDE, _INDENT = 50, 4 * " "
"""Letters that have room in a line of the table, and what goes on from the one above."""
_POINT = int(Qt.ItemDataRole.UserRole)
_MIDDLE = 127
"""Lightness of words between those of a light theme and those of a dark one."""


class PlanTable(QTreeWidget):
    """Rows of an assessment by group; a click on a row with a place looks there.

    Attributes
    ----------
    pointed
        With the LPS point of the row.
    """

    pointed = Signal(object)
    rows: tuple[Row, ...] = ()  # of the class: Qt tells of its style while it is being made

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, QTreeWidgetItem] = {}
        self._shown: dict[str, list[Row]] = {}
        self._target = icon("target")
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
        """Show other numbers; what was folded stays folded, and only what differs is painted."""
        wanted: dict[str, list[Row]] = {}
        for row in rows:
            wanted.setdefault(row.group, []).append(row)
        self.rows = tuple(rows)
        if list(wanted) != list(self._groups):
            self._begin(list(wanted))
        for name, whole in wanted.items():
            parent, shown = self._groups[name], self._shown[name]
            group = [line for row in whole for line in lines_of(row)]
            for place, row in enumerate(group):
                if place == parent.childCount():
                    parent.addChild(QTreeWidgetItem())
                if place >= len(shown) or shown[place] != row:
                    self._fill(parent.child(place), row)
            while parent.childCount() > len(group):
                parent.takeChild(len(group))
            self._shown[name] = group
            count = "" if parent.isExpanded() else str(len(whole))
            if parent.text(1) != count:
                parent.setText(1, count)

    def _begin(self, names: Sequence[str]) -> None:
        """Heads of groups, without rows yet."""
        known = self._groups
        folded = {name for name, head in known.items() if not head.isExpanded()}
        folded = folded if known else {"Distances", "Volumes"}
        self.clear()
        self._groups, self._shown = {}, {}
        font = QFont(self.font())
        font.setBold(True)
        for name in names:
            head = self._groups[name] = QTreeWidgetItem(self, [name, ""])
            head.setFont(0, font)
            head.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            head.setExpanded(name not in folded)
            self._shown[name] = []

    def _fill(self, item: QTreeWidgetItem, row: Row) -> None:
        item.setText(0, row.name)
        item.setText(1, f"{_MARKS[row.state]}{row.text}" if row.text else "")
        item.setIcon(0, QIcon() if row.point_mm is None else self._target)
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        item.setData(0, _POINT, row.point_mm)
        for column in (0, 1):
            item.setToolTip(column, f"{row.name}: {row.text}\n{row.tip}".strip())
        item.setForeground(1, _brush(row.state, self))
        item.setFirstColumnSpanned(not row.text)

    def changeEvent(self, event: Any) -> None:
        """Colours that are read on another theme. Name given by Qt."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self.rows:
            self._shown = {name: [] for name in self._shown}
            self.show_rows(self.rows)

    def fade(self, *, faded: bool) -> None:
        """Grey while the numbers are being worked out anew."""
        self.setEnabled(not faded)

    def _clicked(self, item: QTreeWidgetItem) -> None:
        point = item.data(0, _POINT)
        if point is not None:
            self.pointed.emit(point)


def _brush(state: str, widget: QWidget) -> QBrush:
    """What a state is written with on a widget."""
    if state not in STATE_COLOURS:
        return QBrush()
    dark = widget.palette().color(QPalette.ColorRole.WindowText).lightness() > _MIDDLE
    return QBrush(QColor(STATE_COLOURS[state][0 if dark else 1]))


def lines_of(row: Row) -> list[Row]:
    """A row, or as many as its sentence needs: what must be read is not cut off."""
    if row.text:
        return [row]
    tip = f"{row.name}\n{row.tip}".strip()
    lines = wrap(row.name, _WIDE, subsequent_indent=_INDENT)
    return [replace(row, name=line, tip=tip) for line in lines]


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
        # By whole columns Qt would leave the end of the last one out of sight.
        self.setHorizontalScrollMode(QTableWidget.ScrollMode.ScrollPerPixel)
        self.setToolTip("Double-click a column to work on that plan")
        self.cellDoubleClicked.connect(self._choose)
        self._names: list[str] = []
        self._current: str | None = None

    def show_plans(
        self, plans: Sequence[Plan], standings: Sequence[Standing | None], current: str | None
    ) -> None:
        """Show these plans and how each stands, as far as that is known; that at work in bold."""
        self._names = [plan.name for plan in plans]
        self.clear()
        self.setColumnCount(len(plans))
        if not plans:
            self.setRowCount(0)
            return
        names, columns = compared(plans, standings)
        self.setRowCount(len(names))
        self.setVerticalHeaderLabels(names)
        self.setHorizontalHeaderLabels(self._names)
        for number, column in enumerate(columns):
            for place, text in enumerate(column):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                if text in ("yes", "no"):
                    item.setForeground(_brush("good" if text == "yes" else "bad", self))
                font = item.font()
                font.setBold(self._names[number] == current)
                item.setFont(font)
                self.setItem(place, number, item)
        self.resizeColumnsToContents()
        self._current = current
        self.doItemsLayout()  # Qt would do it later, and scrolls by the widths of before
        self._show_current()

    def resizeEvent(self, event: Any) -> None:
        """The plan at work stays in sight, also once bars take some of the room. Name by Qt."""
        super().resizeEvent(event)
        self._show_current()

    def _show_current(self) -> None:
        if self._current in self._names:
            self.scrollToItem(self.item(0, self._names.index(self._current)))

    def _choose(self, _: int, column: int) -> None:
        self.chosen.emit(self._names[column])
