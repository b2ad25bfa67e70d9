"""Portal and hepatic veins told apart by the trunk that each vessel hangs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu

from surgplan.volume import (
    HEPATIC_VEINS,
    PORTAL_VEIN,
    VENA_CAVA,
    Geometry,
    box_of,
    distance_outside_mm,
)

TRUNK_SHARE = 0.75  # of the largest radius: from here on a portal vein is its trunk
TOUCH_MM = 3.0
GAP_MM = 25.0  # a hepatic vein may be lost on its last way to the vena cava
LEAST_ML = 1.0  # of a hepatic vein that ends in such a gap
TIP_MM = 1.5
LEAK = 1e-4  # pull of the network's scores, against the flow between voxels of 1 mm
SUREST = 6.0
AROUND = np.ones((3, 3, 3))

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def name_vessels(
    labels: npt.NDArray[np.uint8],
    lean: npt.NDArray[np.float32],
    found: Mask,
    geometry: Geometry,
) -> None:
    """Give each vessel the name of the trunk to which the wider way leads.

    Current flows through the vessels, where they are wide more easily, from the portal trunk, at
    potential 0, to the vena cava, at potential 1; a voxel is portal vein below one half. Where two
    trees touch, the contact is narrow and the potential falls there. Vessels connected to neither
    take what the network leans to on the whole. Nothing is changed without both trunks.

    Parameters
    ----------
    labels
        ``(slice, row, column)``, of the anatomy vocabulary; changed in place.
    lean
        Same shape: by how much hepatic veins score higher than the portal vein.
    found
        Same shape: where the network itself saw hepatic veins.
    geometry
        Grid of all.

    Notes
    -----
    The potential is that of a random walker (Grady 2006, doi:10.1109/TPAMI.2006.233) whose steps
    are weighted by the radius.
    """
    veins = np.isin(labels, (PORTAL_VEIN.label, HEPATIC_VEINS.label))
    if not veins.any():
        return
    box = box_of(veins, geometry, margin_mm=GAP_MM)
    vessels = _vessels_in(labels[box], found[box], geometry)
    portal, hepatic = vessels.trunk(), vessels.into_cava()
    if not portal.any() or not hepatic.any():
        return
    potential = vessels.potential(portal, hepatic, lean[box])
    labels[box][vessels.mask] = np.where(potential > 0.5, HEPATIC_VEINS.label, PORTAL_VEIN.label)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Vessels:
    """Voxels of both systems, in a row.

    Attributes
    ----------
    mask
        Where they lie, ``(slice, row, column)``.
    labels
        Of each.
    depth_mm, cava_mm
        Distance of each to the wall and to the vena cava.
    piece
        Number of the piece of hepatic vein, as the network saw it, that it belongs to; 0 for none.
    spacing_mm
        Along (slice, row, column).
    """

    mask: Mask
    labels: npt.NDArray[np.uint8]
    depth_mm: Floats
    cava_mm: Floats
    piece: npt.NDArray[np.int32]
    spacing_mm: tuple[float, float, float]

    @property
    def voxel_mm3(self) -> float:
        """Volume of one."""
        return float(np.prod(self.spacing_mm))

    def trunk(self) -> Mask:
        """The widest part of the portal vein."""
        portal = self.labels == PORTAL_VEIN.label
        widest = self.depth_mm[portal].max(initial=0.0)
        trunk: Mask = portal & (self.depth_mm >= TRUNK_SHARE * widest)
        return trunk

    def into_cava(self) -> Mask:
        """Hepatic veins where they enter the vena cava, or come nearest to it."""
        hepatic = self.labels == HEPATIC_VEINS.label
        ends: Mask = hepatic & (self.cava_mm <= TOUCH_MM)
        for piece in np.flatnonzero(np.bincount(self.piece) * self.voxel_mm3 >= 1000 * LEAST_ML):
            mine = hepatic & (self.piece == piece)
            nearest = self.cava_mm[mine].min(initial=np.inf)
            if piece > 0 and nearest <= GAP_MM:
                ends |= mine & (self.cava_mm <= nearest + TIP_MM)
        return ends

    def potential(self, low: Mask, high: Mask, lean: npt.NDArray[np.float32]) -> Floats:
        """Between 0 and 1, with these voxels held at either."""
        flow = self._flow()
        leak = LEAK * self.voxel_mm3
        hint = 1 / (1 + np.exp(-np.clip(lean[self.mask].astype(np.float64), -SUREST, SUREST)))
        held = low | high
        free = ~held
        potential = high.astype(np.float64)
        total = np.asarray(flow.sum(axis=1)).ravel() + leak
        balance = (sparse.diags(total) - flow).tocsr()[free]
        into = leak * hint[free] - balance[:, held] @ potential[held]
        # The matrix is symmetric: this order of its columns keeps the factors small.
        factors = splu(
            balance[:, free].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        potential[free] = factors.solve(into)
        return potential

    def _flow(self) -> sparse.csr_matrix:
        """How easily current flows between neighbours: area over length, times the radius."""
        count = len(self.labels)
        number = np.zeros(self.mask.shape, dtype=np.int32)
        number[self.mask] = np.arange(count)
        rows, columns, weights = [], [], []
        for axis, step_mm in enumerate(self.spacing_mm):
            there, numbers = (np.moveaxis(array, axis, 0) for array in (self.mask, number))
            both = there[:-1] & there[1:]
            one, next_ = numbers[:-1][both], numbers[1:][both]
            radius = np.minimum(self.depth_mm[one], self.depth_mm[next_])
            weight = self.voxel_mm3 / step_mm**2 * radius
            rows += [one, next_]
            columns += [next_, one]
            weights += [weight, weight]
        flat = (np.concatenate(rows), np.concatenate(columns))
        return sparse.csr_matrix((np.concatenate(weights), flat), shape=(count, count))


def _vessels_in(labels: npt.NDArray[np.uint8], found: Mask, geometry: Geometry) -> _Vessels:
    window = Geometry(shape=labels.shape, affine=geometry.affine)
    mask = np.isin(labels, (PORTAL_VEIN.label, HEPATIC_VEINS.label))
    cava = labels == VENA_CAVA.label
    to_cava = distance_outside_mm(cava, window)[mask] if cava.any() else np.full(mask.sum(), np.inf)
    pieces, _ = ndimage.label(found, structure=AROUND)
    return _Vessels(
        mask=mask,
        labels=labels[mask],
        depth_mm=distance_outside_mm(~mask, window)[mask].astype(np.float64),
        cava_mm=to_cava.astype(np.float64),
        piece=pieces[mask],
        spacing_mm=geometry.spacing_mm,
    )
