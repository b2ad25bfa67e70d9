"""What a resection does to the patient, every number with its unit and formula."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.planning._functional import FunctionalRemnant
from surgplan.planning._margins import StructureDistance, TumourMargin
from surgplan.planning._patient import Patient
from surgplan.planning._thresholds import Condition, Denominator
from surgplan.planning._vessels_cut import VesselCut


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number that people read: name, value, unit, formula and what went into it."""

    name: str
    value: float
    unit: str
    formula: str
    inputs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class StandardisedRemnant:
    """The remnant against a liver volume expected from body size.

    `flr_percent` is 100 x functional remnant / `standard_ml`.
    """

    name: str
    formula: str
    standard_ml: float
    flr_percent: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A remnant held against a threshold: of what, how much, at least how much."""

    name: str
    denominator: Denominator
    value_percent: float
    minimum_percent: float
    source: str

    @property
    def passed(self) -> bool:
        """Whether the remnant reaches the threshold."""
        return self.value_percent >= self.minimum_percent


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """A resection judged on one label map.

    Volumes are of voxels, divided below their size where the cut passes. The functional liver is
    the whole liver less its tumours. See `quantities` for unit, formula and inputs of each number.

    Attributes
    ----------
    margin_mm, condition, patient
        What was asked: the smallest margin wanted, the condition of the liver, body size.
    total_ml, tumour_ml, functional_ml
        Whole liver, tumours in it, and what is left without them.
    resected_ml, remnant_ml, remnant_tumour_ml
        Either side of the cut, and tumour that stays behind.
    flr_percent
        Functional remnant of the measured functional liver.
    standardised
        The same of liver volumes expected from body size; empty without a patient.
    flr_per_weight_percent
        Functional remnant of body weight, 1 ml taken as 1 g; None without a patient.
    cut_area_mm2
        Area of the cut inside the liver.
    tumours, structures
        Margins and distances.
    vessels_cut
        Every vessel that has to be divided, as far as the labels have the system.
    function
        The remnant by what is taken of its supply and drainage; None where no vessels are known
        far enough to say.
    not_assessed
        What could not be judged for want of vessels, in words.
    verdicts
        The remnant against the thresholds of the condition.
    flags
        What a reader must know first, in sentences; empty where nothing stands out.
    notice
        Not a medical device.
    """

    margin_mm: float
    condition: Condition
    patient: Patient | None
    total_ml: float
    tumour_ml: float
    functional_ml: float
    resected_ml: float
    remnant_ml: float
    remnant_tumour_ml: float
    flr_percent: float
    standardised: tuple[StandardisedRemnant, ...]
    flr_per_weight_percent: float | None
    cut_area_mm2: float
    tumours: tuple[TumourMargin, ...]
    structures: tuple[StructureDistance, ...]
    vessels_cut: tuple[VesselCut, ...]
    function: FunctionalRemnant | None
    not_assessed: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    flags: tuple[str, ...]
    notice: str = NOT_A_MEDICAL_DEVICE

    @property
    def remnant_functional_ml(self) -> float:
        """Future liver remnant: what stays, without tumour."""
        return self.remnant_ml - self.remnant_tumour_ml

    @property
    def smallest_margin_mm(self) -> float | None:
        """Smallest margin of all tumours; None without any."""
        return min((t.margin_mm for t in self.tumours), default=None)

    @property
    def clears_tumours(self) -> bool:
        """Whether every tumour is resected whole with the margin asked for."""
        return all(t.resected and t.margin_mm >= self.margin_mm for t in self.tumours)

    @property
    def keeps_enough_liver(self) -> bool:
        """Whether the remnant reaches every threshold."""
        return all(verdict.passed for verdict in self.verdicts)

    def vessel_facts(self) -> list[dict[str, Any]]:
        """The vessels cut as plain data, named."""
        return [{**asdict(v), "name": v.name} for v in self.vessels_cut]

    def quantities(self) -> tuple[Quantity, ...]:
        """Every volume, ratio and area with unit, formula and inputs."""
        return (*self._volumes(), *self._ratios(), *self._margins(), *self._functions())

    def _volumes(self) -> tuple[Quantity, ...]:
        rows = (
            ("whole liver", self.total_ml, "TLV: liver voxels x voxel volume"),
            ("tumour", self.tumour_ml, "V_tumour: tumour voxels x voxel volume"),
            ("functional liver", self.functional_ml, "TLV - V_tumour"),
            ("resected", self.resected_ml, "sum of voxel shares on the resected side"),
            ("remnant", self.remnant_ml, "TLV - resected"),
            ("tumour in the remnant", self.remnant_tumour_ml, "tumour shares on the remnant side"),
            ("future liver remnant", self.remnant_functional_ml, "FLR: remnant - tumour in it"),
        )
        return tuple(Quantity(name=n, value=v, unit="ml", formula=f) for n, v, f in rows)

    def _ratios(self) -> tuple[Quantity, ...]:
        remnant = ("FLR ml", self.remnant_functional_ml)
        rows = [
            Quantity(
                name="FLR of the measured functional liver",
                value=self.flr_percent,
                unit="%",
                formula="100 FLR / (TLV - V_tumour)",
                inputs=(remnant, ("functional liver ml", self.functional_ml)),
            )
        ]
        rows += [
            Quantity(
                name=f"FLR of the standard liver ({s.name})",
                value=s.flr_percent,
                unit="%",
                formula=f"100 FLR / ({s.formula})",
                inputs=(remnant, ("standard liver ml", s.standard_ml)),
            )
            for s in self.standardised
        ]
        if self.patient is not None and self.flr_per_weight_percent is not None:
            rows.append(
                Quantity(
                    name="FLR of body weight",
                    value=self.flr_per_weight_percent,
                    unit="%",
                    formula="100 FLR (1 ml as 1 g) / W",
                    inputs=(remnant, ("W kg", self.patient.weight_kg)),
                )
            )
        return tuple(rows)

    def _margins(self) -> tuple[Quantity, ...]:
        area = Quantity(
            name="cut", value=self.cut_area_mm2, unit="mm2", formula="area of the cut in the liver"
        )
        formula = "smallest distance from the tumour's boundary to the cut"
        margins = tuple(
            Quantity(name=f"margin of {t.name}", value=t.margin_mm, unit="mm", formula=formula)
            for t in self.tumours
        )
        return (area, *margins)

    def _functions(self) -> tuple[Quantity, ...]:
        """What of the remnant works, and what the vessels cut serve; nothing that is not known."""
        if self.function is None:
            return ()
        found = self.function
        rows = (
            ("healthy remnant", found.healthy_ml, "remnant with all vessels that serve it"),
            ("devascularised remnant", found.devascularised_ml, "remnant, portal branch resected"),
            ("congested remnant", found.congested_ml, "remnant, hepatic vein resected"),
            ("devascularised and congested remnant", found.both_ml, "remnant, both resected"),
            ("functional remnant", found.functional_ml, "healthy remnant - tumour in it"),
        )
        known = [
            Quantity(name=n, value=v, unit="ml", formula=f) for n, v, f in rows if v is not None
        ]
        share = Quantity(
            name="functional remnant of the measured functional liver",
            value=found.flr_percent,
            unit="%",
            formula="100 functional remnant / (TLV - V_tumour)",
            inputs=(
                ("functional remnant ml", found.functional_ml),
                ("functional liver ml", self.functional_ml),
            ),
        )
        return (*known, share)
