"""A plan: a resection, what it does, and what it was planned on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import CorruptFileError, ScanMismatchError, UsageError
from surgplan.planning._assess import assess
from surgplan.planning._assessment import Assessment
from surgplan.planning._kinds import resection_from_dict
from surgplan.planning._patient import Patient
from surgplan.planning._records import from_json, to_json
from surgplan.planning._resection import Resection
from surgplan.planning._thresholds import Condition
from surgplan.volume import LabelMap

SCHEMA = "surgplan.plan"
SCHEMA_VERSION = 3
_ASSESSED_ANEW = 1
"""Plans of this version lack vessels cut and functional remnant: reading them assesses again."""

_BEHIND_ALL = 2
"""Plans of this version say what lies behind every vessel, also where that is not known."""

_MARKUPS_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
    "Schema/markups-schema-v1.0.3.json#"
)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A resection with its assessment, bound to the labels (and scan) that it was made on.

    Attributes
    ----------
    name
        Short, unique within a case: letters, digits and hyphens, as it becomes a file name.
    resection, assessment
        What is cut, and what that does.
    labels_fingerprint, scan_fingerprint
        `LabelMap.fingerprint` and, where known, `Volume.fingerprint`.
    why
        A sentence for people: why this plan.
    version
        Of surgplan, when planned.
    created
        UTC, ISO 8601; plays no part in comparisons.

    Raises
    ------
    UsageError
        If the name is no file name.
    """

    name: str
    resection: Resection
    assessment: Assessment
    labels_fingerprint: str
    scan_fingerprint: str | None = None
    why: str = ""
    version: str = __version__
    created: str = field(default_factory=_now, compare=False)

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "-_" for c in self.name):
            msg = f"`name` must be letters, digits, hyphens and underscores, got {self.name!r}"
            raise UsageError(msg)

    def on_scan(self, scan_fingerprint: str) -> Plan:
        """The same plan, bound to a scan as well."""
        return replace(self, scan_fingerprint=scan_fingerprint)


@dataclass(frozen=True, kw_only=True)
class _Question:
    margin_mm: float
    condition: Condition
    patient: Patient | None


def plan_to_json(plan: Plan) -> str:
    """A plan as the text of its file; `plan_from_json` reads it."""
    record = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "notice": NOT_A_MEDICAL_DEVICE,
        "frame": "LPS, millimetres",
        "name": plan.name,
        "why": plan.why,
        "created": plan.created,
        "software_version": plan.version,
        "scan_fingerprint": plan.scan_fingerprint,
        "labels_fingerprint": plan.labels_fingerprint,
        "resection": plan.resection.to_dict(),
        "assessment": to_json(plan.assessment),
        "quantities": [to_json(quantity) for quantity in plan.assessment.quantities()],
    }
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plan_from_json(text: str, label_map: LabelMap) -> Plan:
    """Read a plan against the label map that it was made on.

    Parameters
    ----------
    text
        Content of a plan file.
    label_map
        Wedges take the shape of their tumours from it, so a plan cannot be read without.

    Raises
    ------
    CorruptFileError
        If the text is no plan, or a field is missing, unknown or of another type.
    ScanMismatchError
        If the plan was made on other labels.
    """
    record = _record(text)
    labels = _text(record, "labels_fingerprint")
    if labels != label_map.fingerprint():
        raise _other_labels(_text(record, "name"))
    resection = resection_from_dict(record.get("resection") or {}, label_map)
    old = record["schema_version"] == _ASSESSED_ANEW
    scan = record.get("scan_fingerprint")
    return Plan(
        name=_text(record, "name"),
        resection=resection,
        assessment=_anew(record, resection, label_map) if old else _assessment(record),
        labels_fingerprint=labels,
        scan_fingerprint=None if scan is None else _text(record, "scan_fingerprint"),
        why=_text(record, "why"),
        version=__version__ if old else _text(record, "software_version"),
        created=_text(record, "created"),
    )


def plan_to_mrk_json(plan: Plan) -> str:
    """The cut as markups of 3D Slicer, in LPS millimetres: the text of a ``.mrk.json`` file."""
    markups = plan.resection.markups()
    return json.dumps({"@schema": _MARKUPS_SCHEMA, "markups": markups}, indent=2) + "\n"


def _record(text: str) -> Mapping[str, Any]:
    try:
        record = json.loads(text)
    except json.JSONDecodeError as e:
        msg = f"a plan must be JSON, got text that ends in an error ({e}); save the plan again"
        raise CorruptFileError(msg) from e
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        found = record.get("schema") if isinstance(record, dict) else type(record).__name__
        msg = f"a plan must carry the schema {SCHEMA!r}, got {found!r}; choose a plan file"
        raise CorruptFileError(msg)
    if record.get("schema_version") not in range(_ASSESSED_ANEW, SCHEMA_VERSION + 1):
        msg = (
            f"plans of schema version {_ASSESSED_ANEW} to {SCHEMA_VERSION} can be read, "
            f"got {record.get('schema_version')!r}; use the surgplan that wrote it, or plan again"
        )
        raise CorruptFileError(msg)
    return record


def _assessment(record: Mapping[str, Any]) -> Assessment:
    assessment = from_json(Assessment, record.get("assessment"), "assessment")
    if record.get("quantities") != [to_json(quantity) for quantity in assessment.quantities()]:
        msg = "`quantities` must repeat the numbers of `assessment`, got others; plan again"
        raise CorruptFileError(msg)
    return _without_guesses(assessment) if record["schema_version"] == _BEHIND_ALL else assessment


def _without_guesses(assessment: Assessment) -> Assessment:
    """Without what lies behind vessels of systems that are not known."""
    function = assessment.function
    lost_ml = {
        "portal": function and function.devascularised_ml,
        "hepatic": function and function.congested_ml,
    }
    cut = tuple(
        v if lost_ml[v.system] is not None else replace(v, downstream_ml=None)
        for v in assessment.vessels_cut
    )
    return replace(assessment, vessels_cut=cut)


def _anew(record: Mapping[str, Any], resection: Resection, label_map: LabelMap) -> Assessment:
    """The questions of an old plan, answered by this version."""
    said = record.get("assessment")
    names = [f.name for f in fields(_Question)]
    asked = {name: said.get(name) for name in names} if isinstance(said, dict) else said
    question = from_json(_Question, asked, "assessment")
    return assess(
        label_map,
        resection,
        margin_mm=question.margin_mm,
        condition=question.condition,
        patient=question.patient,
    )


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        msg = f"a plan needs `{name}` as text, got {value!r}; save the plan again"
        raise CorruptFileError(msg)
    return value


def _other_labels(name: str) -> ScanMismatchError:
    return ScanMismatchError(
        f"plan {name!r} belongs to one label map, got another; "
        "open it with the case that it was made in, or plan again"
    )
