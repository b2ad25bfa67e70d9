"""What is asked of a plan: margin, tumours, condition of the liver, body size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from psygnal import Signal
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QSlider,
    QWidget,
)

from napari_surgplan._draft import Wishes
from surgplan.errors import UsageError
from surgplan.planning import Condition, Patient, Tumour, thresholds_of

MARGIN_MM = (0.5, 30.0)
_TENTHS = 2
_WORDS = {
    "normal": "normal liver",
    "chemo": "after chemotherapy",
    "steatosis": "steatosis",
    "cirrhosis": "cirrhosis",
}


class WishesBox(QWidget):
    """The wishes of a planner, as widgets.

    Attributes
    ----------
    margin_changed
        With millimetres.
    changed
        Another wish changed.
    """

    margin_changed = Signal(float)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.margin = QDoubleSpinBox()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.condition = QComboBox()
        self.height, self.weight = QDoubleSpinBox(), QDoubleSpinBox()
        self.tumours: dict[int, QCheckBox] = {}
        self._row = QHBoxLayout()
        self._fill()
        self._lay_out()
        self.slider.valueChanged.connect(lambda n: self.margin.setValue(n / _TENTHS))
        self.margin.valueChanged.connect(self._margin_moved)
        self.condition.currentIndexChanged.connect(lambda _: self.changed.emit())
        for box in (self.height, self.weight):
            box.valueChanged.connect(lambda _: self.changed.emit())

    def wishes(self) -> Wishes:
        """What is asked now."""
        chosen = tuple(n for n, box in self.tumours.items() if box.isChecked())
        return Wishes(
            margin_mm=self.margin.value(),
            condition=self._condition(),
            patient=self._patient(),
            tumours=None if len(chosen) == len(self.tumours) else chosen,
        )

    def show_wishes(self, wishes: Wishes) -> None:
        """Set the widgets without telling anybody."""
        with self.margin_changed.blocked(), self.changed.blocked():
            if self.margin.value() != wishes.margin_mm:  # else Qt would paint the same again
                self.margin.setValue(wishes.margin_mm)
            self.condition.setCurrentIndex(self.condition.findData(wishes.condition))
            if wishes.patient is not None:
                self.height.setValue(wishes.patient.height_cm)
                self.weight.setValue(wishes.patient.weight_kg)

    def show_tumours(self, tumours: Sequence[Tumour]) -> None:
        """A box to tick for each."""
        for box in self.tumours.values():
            self._row.removeWidget(box)
            box.deleteLater()
        self.tumours = {}
        for place, tumour in enumerate(tumours[:8]):
            box = QCheckBox(f"{tumour.id}")
            box.setChecked(True)
            box.setToolTip(f"Tumour {tumour.id}: {tumour.volume_ml:.1f} ml; resect it")
            box.toggled.connect(lambda _: self.changed.emit())
            self._row.insertWidget(place, box)
            self.tumours[tumour.id] = box

    def _condition(self) -> Condition:
        condition: Condition = self.condition.currentData()
        return condition

    def _patient(self) -> Patient | None:
        height, weight = self.height.value(), self.weight.value()
        if height <= self.height.minimum() or weight <= self.weight.minimum():
            return None
        try:
            return Patient(height_cm=height, weight_kg=weight)
        except UsageError:
            return None

    def _margin_moved(self, margin_mm: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(margin_mm * _TENTHS))
        self.margin_changed.emit(margin_mm)

    def _fill(self) -> None:
        low, high = MARGIN_MM
        self.margin.setRange(low, high)
        self.margin.setSingleStep(0.5)
        self.margin.setDecimals(1)
        self.margin.setSuffix(" mm")
        self.slider.setRange(round(low * _TENTHS), round(high * _TENTHS))
        self.margin.setValue(10.0)
        self.slider.setValue(20)
        for condition in get_args(Condition):
            least = thresholds_of(condition)[0].minimum_percent
            words = f"{_WORDS.get(condition, condition)} (≥ {least:g} % stay)"
            self.condition.addItem(words, condition)
        for box, suffix, most in ((self.height, " cm", 230.0), (self.weight, " kg", 250.0)):
            box.setRange(0.0, most)
            box.setDecimals(0)
            box.setSuffix(suffix)
        self.height.setSpecialValueText("height")
        self.weight.setSpecialValueText("weight")

    def _lay_out(self) -> None:
        margin, body = QHBoxLayout(), QHBoxLayout()
        margin.addWidget(self.slider, 1)
        margin.addWidget(self.margin)
        body.addWidget(self.height)
        body.addWidget(self.weight)
        self._row.addStretch()
        self.margin.setToolTip("Tissue wanted between every tumour and the cut; wedges follow it")
        self.slider.setToolTip(self.margin.toolTip())
        self.condition.setToolTip("Chooses how much liver must stay, and by whose threshold")
        self.height.setToolTip("Body height and weight, for standardised liver volumes; or none")
        self.weight.setToolTip(self.height.toolTip())
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.addRow("Margin", margin)
        form.addRow("Tumours", self._row)
        form.addRow("Liver", self.condition)
        form.addRow("Body", body)
