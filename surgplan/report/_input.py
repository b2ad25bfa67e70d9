"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.errors import GeometryMismatchError, ScanMismatchError, UsageError
from surgplan.mesh import Surface
from surgplan.planning import Plan
from surgplan.volume import LabelMap, Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportInput:
    """A scan, what was found in it and what is planned.

    Attributes
    ----------
    volume
        The scan.
    label_map
        Its structures, on the same grid.
    surfaces
        Structures as triangles in LPS mm, the whole liver as segment `surgplan.volume.LIVER`;
        only the pictures are made from them.
    plans
        In the order in which they are shown; may be empty.
    provenance
        JSON values: input hashes, models, parameters, warnings of earlier steps under
        ``"warnings"`` (a list of sentences).
    confidence
        ``(slice, row, column)`` float32, 0..1, on the grid of the label map.
    couinaud
        Couinaud's segments on the same grid, None where the liver was not parted.
    case_name
        What the case is called; never a patient's name.

    Raises
    ------
    GeometryMismatchError
        If the label map or the confidence lies on another grid than the scan.
    ScanMismatchError
        If a plan was made on another scan or other labels.
    UsageError
        If a confidence lies outside 0..1, or two plans have the same name.
    """

    volume: Volume
    label_map: LabelMap
    surfaces: tuple[Surface, ...]
    plans: tuple[Plan, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    confidence: npt.NDArray[np.float32] | None = None
    couinaud: LabelMap | None = None
    case_name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "surfaces", tuple(self.surfaces))
        object.__setattr__(self, "plans", tuple(self.plans))
        if not self.label_map.geometry.matches(self.volume.geometry):
            msg = (
                f"scan and label map must share a grid, got {self.volume.geometry.shape} and "
                f"{self.label_map.geometry.shape}; resample first with volume.resample_to"
            )
            raise GeometryMismatchError(msg)
        if self.couinaud and not self.couinaud.geometry.matches(self.volume.geometry):
            msg = (
                f"segments must lie on the grid of the scan {self.volume.geometry.shape}, got "
                f"{self.couinaud.geometry.shape}; find them on these labels"
            )
            raise GeometryMismatchError(msg)
        self._check_confidence()
        self._check_plans()

    def _check_confidence(self) -> None:
        if self.confidence is None:
            return
        if self.confidence.shape != self.label_map.array.shape:
            msg = (
                f"`confidence` must have the shape of the label map {self.label_map.array.shape}, "
                f"got {self.confidence.shape}"
            )
            raise GeometryMismatchError(msg)
        low, high = float(self.confidence.min()), float(self.confidence.max())
        if not 0 <= low <= high <= 1:
            msg = f"`confidence` must lie in 0..1, got {low:g} to {high:g}"
            raise UsageError(msg)

    def _check_plans(self) -> None:
        names = [plan.name for plan in self.plans]
        if len(set(names)) != len(names):
            msg = f"plans need different names, got {names}"
            raise UsageError(msg)
        if not self.plans:
            return
        scan, labels = self.volume.fingerprint(), self.label_map.fingerprint()
        for plan in self.plans:
            if plan.scan_fingerprint not in (None, scan) or plan.labels_fingerprint != labels:
                msg = (
                    f"plan {plan.name!r} was made on another scan or other labels; "
                    "assess it again on these first"
                )
                raise ScanMismatchError(msg)

    @cached_property
    def whole_liver(self) -> npt.NDArray[np.bool_]:
        """See `LabelMap.whole_liver`; found once, because it takes seconds."""
        return self.label_map.whole_liver()
