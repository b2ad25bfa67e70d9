"""The tab in which a resection is planned."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_surgplan._session import Session


class PlanTab(QWidget):
    """Plans of the case at hand."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        text = QLabel("No structures yet. Find them in the tab Anatomy, then plan the cut here.")
        text.setWordWrap(True)
        layout.addWidget(text)
        layout.addStretch()
