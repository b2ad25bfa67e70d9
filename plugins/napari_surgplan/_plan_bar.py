"""Which plan is at work, and what can be done with it as a whole."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QInputDialog,
    QPushButton,
    QToolButton,
    QWidget,
)

from napari_surgplan._icons import icon
from napari_surgplan._session import Session
from surgplan.errors import UsageError


class PlanBar(QWidget):
    """Choose, name, copy and delete plans; undo and redo. Every change is saved by itself."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.names = QComboBox()
        self.names.setToolTip("The plan at work")
        self.rename = _button("Rename…", "Give the plan another name (F2)", "F2")
        self.copy = _button("Copy", "Go on with a copy; the plan stays as it is (Ctrl+D)", "Ctrl+D")
        self.delete = _button("Delete", "Delete the plan; Undo brings it back", "")
        self.undo = QToolButton()
        self.redo = QToolButton()
        self.undo.setIcon(icon("undo"))
        self.redo.setIcon(icon("redo"))
        self.undo.setToolTip("Undo (Ctrl+Alt+Z)")
        self.redo.setToolTip("Redo (Ctrl+Alt+Y)")
        self.undo.setShortcut("Ctrl+Alt+Z")
        self.redo.setShortcut("Ctrl+Alt+Y")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.names, 1)
        for widget in (self.rename, self.copy, self.delete, self.undo, self.redo):
            layout.addWidget(widget)
        self.names.activated.connect(lambda _: session.choose_plan(self.names.currentText()))
        self.rename.clicked.connect(self.ask_name)
        self.copy.clicked.connect(self.copy_plan)
        self.delete.clicked.connect(self.delete_plan)
        self.undo.clicked.connect(lambda: session.undo())
        self.redo.clicked.connect(lambda: session.redo())
        session.plans_changed.connect(self.refresh)
        session.labels_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the plans that there are."""
        names = [plan.name for plan in self.session.plans]
        self.names.clear()
        self.names.addItems(names)
        current = self.session.current_plan
        if current is not None:
            self.names.setCurrentText(current.name)
        for widget in (self.names, self.rename, self.copy, self.delete):
            widget.setEnabled(current is not None)
        back, forward = self.session.history.steps
        self.undo.setEnabled(back > 0)
        self.redo.setEnabled(forward > 0)

    def ask_name(self) -> None:
        """Ask for another name."""
        plan = self.session.current_plan
        if plan is None:
            return
        text, well = QInputDialog.getText(self, "Rename plan", "Name:", text=plan.name)
        if well and text and text != plan.name:
            self.rename_plan(text)

    def rename_plan(self, name: str) -> None:
        """Give the plan at work another name; one that is taken is refused in words."""
        plan = self.session.current_plan
        if plan is None:
            return
        tidy = "-".join(name.split())
        if self.session.state.plan(tidy) is not None:
            self.session.message.emit(f"A plan is already called {tidy}; choose another name.")
            return
        try:
            renamed = replace(plan, name=tidy)
        except UsageError as e:
            self.session.message.emit(str(e))
            return
        self.session.put_plan(renamed)
        self.session.remove_plan(plan.name)

    def copy_plan(self) -> None:
        """Go on with a copy of the plan at work."""
        plan = self.session.current_plan
        if plan is not None:
            taken = {p.name for p in self.session.plans}
            names = (f"{plan.name}-copy{n or ''}" for n in range(len(taken) + 1))
            name = next(n for n in names if n not in taken)
            self.session.put_plan(replace(plan, name=name))

    def delete_plan(self) -> None:
        """Delete the plan at work."""
        plan = self.session.current_plan
        if plan is not None:
            self.session.remove_plan(plan.name)
            self.session.message.emit(f"Plan {plan.name} deleted; Undo brings it back.")


def _button(text: str, tip: str, keys: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    if keys:
        button.setShortcut(keys)
    return button
