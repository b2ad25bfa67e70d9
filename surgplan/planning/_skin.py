"""The skin: where the body ends, and which places on it a hand can reach."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning._boundary import Points
from surgplan.volume import Geometry, Volume, box_of

_BODY_HU = -300.0
_OPEN_MM = 6.0
_BLUR_MM = 4.0
_REST = 0.5  # of a unit vector: skin that faces down more than this lies on the table

Mask = npt.NDArray[np.bool_]


def body_mask(scan: Volume) -> Mask:
    """The body in a CT: the largest thing denser than air and fat's edge, cavities filled.

    Parameters
    ----------
    scan
        CT in Hounsfield units; for MR, give a body mask of your own.

    Returns
    -------
    body
        ``(slice, row, column)``; what is thinner than 6 mm, such as a table's shell or a cable, is
        left out.

    Raises
    ------
    UsageError
        If the scan is no CT.
    NothingToDoError
        If nothing in it is dense enough.
    """
    if scan.modality != "CT":
        msg = f"`scan` must be a CT, as skin is found by density, got {scan.modality}"
        raise UsageError(msg)
    dense = scan.array > _BODY_HU
    pixels = np.maximum(1, np.round(_OPEN_MM / 2 / np.asarray(scan.geometry.spacing_mm)[1:]))
    disc = np.ones((1, *(2 * pixels.astype(int) + 1)), dtype=bool)
    pieces, count = ndimage.label(ndimage.binary_opening(dense, disc))
    if not count:
        msg = "a body needs voxels above -300 HU, and the scan has none; check its intensities"
        raise NothingToDoError(msg)
    largest = 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    body: Mask = pieces == largest
    for level in body:  # the lungs open to the outside at the edge of a scan, not within a slice
        ndimage.binary_fill_holes(level, output=level)
    return body


def skin_of(body: Mask, geometry: Geometry, spacing_mm: float) -> tuple[Points, Points]:
    """Points ``(n, 3)`` LPS on the skin about so far apart, and unit vectors out of the body.

    Where the scan ends there is no skin, nor where the patient rests on the table (supine).
    """
    if body.shape != geometry.shape:
        msg = f"`body` must have the shape of the labels {geometry.shape}, got {body.shape}"
        raise UsageError(msg)
    if not body.any():
        msg = "access needs a body, and the mask has no voxel"
        raise NothingToDoError(msg)
    box = box_of(body, geometry)
    stride = np.maximum(1, np.round(spacing_mm / np.asarray(geometry.spacing_mm))).astype(int)
    thin = body[tuple(slice(s.start, s.stop, int(n)) for s, n in zip(box, stride, strict=True))]
    padded = np.pad(thin, 1, mode="edge")  # no skin at the end of the scan
    inner = ndimage.binary_erosion(padded, border_value=1)[1:-1, 1:-1, 1:-1]
    place = np.argwhere(thin & ~inner)
    steps = geometry.affine[:3, :3] * stride
    sigma = _BLUR_MM / np.linalg.norm(steps, axis=0)
    soft = ndimage.gaussian_filter(thin.astype(np.float32), np.maximum(sigma, 1.0), mode="nearest")
    slope = np.stack([g[tuple(place.T)] for g in np.gradient(soft)], axis=1)
    outward = -slope @ np.linalg.inv(steps)
    outward /= np.maximum(np.linalg.norm(outward, axis=1), 1e-9)[:, None]
    index = place * stride + [s.start for s in box]
    reachable = outward[:, 1] < _REST  # LPS y runs to the back
    return geometry.to_lps(index)[reachable], outward[reachable]
