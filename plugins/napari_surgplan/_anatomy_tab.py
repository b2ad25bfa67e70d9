"""The tab in which structures are found, looked at and corrected."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_surgplan._session import Session


class AnatomyTab(QWidget):
    """Structures of the scan."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        text = QLabel("No scan is open. Open one in the tab Open, then find its structures here.")
        text.setWordWrap(True)
        layout.addWidget(text)
        layout.addStretch()
