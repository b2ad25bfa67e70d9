"""The patient's size, and the liver volume it stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgplan.errors import UsageError

_HEIGHT_CM = (40.0, 250.0)
_WEIGHT_KG = (2.0, 400.0)


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Height and weight.

    Raises
    ------
    UsageError
        If the height lies outside 40..250 cm or the weight outside 2..400 kg.

    Examples
    --------
    >>> round(Patient(height_cm=170, weight_kg=70).body_surface_m2, 4)
    1.8181
    """

    height_cm: float
    weight_kg: float

    def __post_init__(self) -> None:
        checks = (
            ("height_cm", self.height_cm, _HEIGHT_CM),
            ("weight_kg", self.weight_kg, _WEIGHT_KG),
        )
        for name, value, (low, high) in checks:
            if not low <= value <= high:
                msg = f"`{name}` must lie in {low:g}..{high:g}, got {value}; check its unit"
                raise UsageError(msg)
            object.__setattr__(self, name, float(value))

    @property
    def body_surface_m2(self) -> float:
        """Body surface area after Mosteller (doi:10.1056/NEJM198710223171717)."""
        return math.sqrt(self.height_cm * self.weight_kg / 3600)


@dataclass(frozen=True, kw_only=True)
class StandardLiver:
    """A liver volume expected from body size: name, formula, millilitres, source."""

    name: str
    formula: str
    volume_ml: float
    source: str


def body_surface_dubois_m2(patient: Patient) -> float:
    """Body surface area after DuBois and DuBois 1916: 0.007184 W^0.425 H^0.725."""
    return 0.007184 * math.pow(patient.weight_kg, 0.425) * math.pow(patient.height_cm, 0.725)


def vauthey_ml(body_surface_m2: float) -> float:
    """Standardised liver volume of Western adults (doi:10.1053/jlts.2002.31654).

    >>> round(vauthey_ml(Patient(height_cm=170, weight_kg=70).body_surface_m2), 1)
    1509.7
    """
    return -794.41 + 1267.28 * body_surface_m2


def urata_ml(body_surface_m2: float) -> float:
    """Standard liver volume of Japanese patients (doi:10.1002/hep.1840210515)."""
    return 706.2 * body_surface_m2 + 2.4


def yu_ml(patient: Patient) -> float:
    """Standard liver volume of Korean patients: 21.585 W^0.732 H^0.225."""
    return 21.585 * math.pow(patient.weight_kg, 0.732) * math.pow(patient.height_cm, 0.225)


def standard_livers(patient: Patient) -> tuple[StandardLiver, ...]:
    """Vauthey, Urata and Yu, with body surface after Mosteller."""
    surface = patient.body_surface_m2
    return (
        StandardLiver(
            name="Vauthey",
            formula="-794.41 + 1267.28 BSA",
            volume_ml=vauthey_ml(surface),
            source="Vauthey 2002, Western adults, doi:10.1053/jlts.2002.31654",
        ),
        StandardLiver(
            name="Urata",
            formula="706.2 BSA + 2.4",
            volume_ml=urata_ml(surface),
            source="Urata 1995, Japanese patients, doi:10.1002/hep.1840210515",
        ),
        StandardLiver(
            name="Yu",
            formula="21.585 W^0.732 H^0.225",
            volume_ml=yu_ml(patient),
            source="Yu 2004, Korean patients",
        ),
    )
