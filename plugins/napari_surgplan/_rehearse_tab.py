"""The tab in which a planned resection is rehearsed."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_surgplan._session import Session


class RehearseTab(QWidget):
    """The cut of the plan at work, step by step."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        text = QLabel("No plan yet. Make one in the tab Plan, then rehearse the cut here.")
        text.setWordWrap(True)
        layout.addWidget(text)
        layout.addStretch()
