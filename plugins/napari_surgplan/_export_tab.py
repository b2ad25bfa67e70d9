"""The tab from which files leave: case, report, surfaces, structures, pictures."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_surgplan._session import Session


class ExportTab(QWidget):
    """What can be taken out of the session."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        text = QLabel("Nothing to export yet. Open a scan in the tab Open first.")
        text.setWordWrap(True)
        layout.addWidget(text)
        layout.addStretch()
