"""The page of preferences."""

from __future__ import annotations

from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_surgplan._preferences import Preferences


class PreferencesDialog(QDialog):
    """Model, threads and colours; `chosen` says what the user wants when it is accepted."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("SurgPlan preferences")
        self.model = QLineEdit(preferences.model)
        self.model.setPlaceholderText("the shipped model")
        self.model.setToolTip("Name of a shipped model, or folder of a MONAI bundle")
        self.device = QComboBox()
        self.device.addItems(["cpu", "cuda", "mps"])
        self.device.setCurrentText(preferences.device)
        self.threads = QSpinBox()
        self.threads.setRange(0, 256)
        self.threads.setSpecialValueText("as many as the library takes")
        self.threads.setValue(preferences.threads)
        self.colour = QPushButton()
        self.colour.clicked.connect(self._ask_colour)
        self._show_colour(preferences.crosshair)
        self.outline = QSpinBox()
        self.outline.setRange(0, 5)
        self.outline.setSpecialValueText("filled")
        self.outline.setSuffix(" voxels")
        self.outline.setValue(preferences.outline)
        self.four_views = QCheckBox("Open scans in four views")
        self.four_views.setChecked(preferences.four_views)
        form = QFormLayout(self)
        form.addRow(QLabel("<b>Finding structures</b>"))
        form.addRow("Model", self.model)
        form.addRow("Device", self.device)
        form.addRow("Threads", self.threads)
        form.addRow(QLabel("<b>Views</b>"))
        form.addRow("Crosshair", self.colour)
        form.addRow("Outlines", self.outline)
        form.addRow(self.four_views)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def chosen(self) -> Preferences:
        """What the fields say."""
        return Preferences(
            model=self.model.text().strip(),
            device=self.device.currentText(),
            threads=self.threads.value(),
            crosshair=self.colour.text(),
            outline=self.outline.value(),
            four_views=self.four_views.isChecked(),
        )

    def _ask_colour(self) -> None:
        colour = QColorDialog.getColor(QColor(self.colour.text()), self, "Crosshair")
        if colour.isValid():
            self._show_colour(colour.name())

    def _show_colour(self, name: str) -> None:
        self.colour.setText(name)
        self.colour.setStyleSheet(f"background-color: {name}; color: black")
