"""The remnant that still works: what of it keeps both its supply and its drainage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surgplan.planning._blocks import OUTSIDE, TUMOUR
from surgplan.planning._cut import Cut, cut_liver
from surgplan.planning._looks import Looks
from surgplan.planning._prepare import PreparedLiver
from surgplan.planning._resection import Resection
from surgplan.planning._shared_voxels import CLASSES, class_of


@dataclass(frozen=True, kw_only=True)
class FunctionalRemnant:
    """The remnant by what the resection takes from it.

    A piece of liver loses its supply when the portal branch that serves it, or one on the way from
    there to the trunk, is resected; its drainage, when that holds for its hepatic vein. A number
    is None where a system is lacking or not `known`; then only the other one counts.

    Attributes
    ----------
    healthy_ml
        Remnant that keeps all that could be assessed.
    devascularised_ml, congested_ml, both_ml
        Remnant without portal supply only, without hepatic drainage only, without either. With
        `healthy_ml` they sum to the remnant, tumour left behind included.
    functional_ml
        `healthy_ml` without tumour.
    flr_percent
        `functional_ml` of the measured functional liver.
    missing
        What could not be assessed, in words; empty where both systems are known.
    """

    healthy_ml: float
    devascularised_ml: float | None
    congested_ml: float | None
    both_ml: float | None
    functional_ml: float
    flr_percent: float
    missing: tuple[str, ...] = ()

    @property
    def kept(self) -> str:
        """What the functional remnant keeps, in words."""
        if self.devascularised_ml is None:
            return "its hepatic drainage"
        if self.congested_ml is None:
            return "its portal supply"
        return "both portal supply and hepatic drainage"

    @property
    def complete(self) -> bool:
        """Whether supply and drainage are both known."""
        return not self.missing


def functional_remnant(
    prepared: PreparedLiver, resection: Resection, *, cut: Cut | None = None
) -> FunctionalRemnant | None:
    """Divide the remnant into healthy, devascularised, congested and both.

    Parameters
    ----------
    prepared
        See `prepare`; its trees are worked out when first asked for.
    resection
        What is cut.
    cut
        Of the same resection, where it is known already.

    Returns
    -------
    FunctionalRemnant or None
        None where neither portal nor hepatic veins are known; ``prepared.perfusions.missing``
        says why in words.
    """
    looks = Looks.of(prepared, resection)
    cut = cut or cut_liver(prepared.blocks, resection, look=looks.blocks)
    return function_of(prepared, cut, looks)


def function_of(prepared: PreparedLiver, cut: Cut, looks: Looks) -> FunctionalRemnant | None:
    """As `functional_remnant`, from what is known of the resection."""
    perfusions = prepared.perfusions
    known = perfusions.known()
    if not known:
        return None
    ml = _by_class(prepared, cut, looks)
    counts = prepared.blocks.counts.sum(axis=0)
    voxel_ml = prepared.blocks.geometry.voxel_volume_mm3 / 1000
    total_ml = float(counts[:OUTSIDE].sum() - counts[TUMOUR]) * voxel_ml
    healthy, unsupplied, undrained, both = (float(v) for v in ml.sum(axis=1))
    functional_ml = float(ml[0, 0])
    supply, drainage = perfusions.portal in known, perfusions.hepatic in known
    return FunctionalRemnant(
        healthy_ml=healthy,
        devascularised_ml=unsupplied if supply else None,
        congested_ml=undrained if drainage else None,
        both_ml=both if supply and drainage else None,
        functional_ml=functional_ml,
        flr_percent=100 * functional_ml / max(total_ml, 1e-9),
        missing=perfusions.missing,
    )


def _by_class(prepared: PreparedLiver, cut: Cut, looks: Looks) -> npt.NDArray[np.float64]:
    """Millilitres of the remnant by class and by whether they are tumour, ``(4, 2)``."""
    blocks, stays, perfusions = prepared.blocks, cut.stays, prepared.perfusions
    kept = np.zeros(len(blocks.counts), dtype=bool)
    kept[stays.blocks] = True
    part = np.flatnonzero(stays.tissue < OUTSIDE)
    place, lost, by = stays.place[part], [], []
    resected = dict(zip(perfusions.each(), looks.resected(), strict=True))
    for perfusion in (perfusions.portal, perfusions.hepatic):
        if perfusion is None or not perfusion.is_known:
            lost.append(np.zeros(1, dtype=bool))
            by.append(np.full(len(place), -1, dtype=np.int32))
        else:
            lost.append(np.append(perfusion.lost_from(resected[perfusion]), [False]))
            by.append(perfusion.node_of.ravel()[place])
    key = class_of((stays.tissue[part] == TUMOUR).view(np.uint8), by, lost)
    counts = perfusions.shared.by_class(kept, lost)
    counts += np.bincount(key, stays.share[part], minlength=2 * CLASSES)
    return counts.reshape(CLASSES, 2) * blocks.geometry.voxel_volume_mm3 / 1000
