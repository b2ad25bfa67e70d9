"""Whether voxel values can be what they are said to be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surgplan.errors import IntensityError
from surgplan.volume import Modality

_AIR = -500.0
_LOWEST_CT = -10_000.0  # padding of some scanners lies far below air
_HIGHEST_CT = 65_536.0  # metal on the extended scale


def check_intensities(array: npt.NDArray[np.generic], modality: Modality | None) -> Modality:
    """The modality, once the voxel values are known to fit it.

    Computed tomography has air, so its values reach far below zero: without a modality, values
    down to -500 or lower are taken for Hounsfield units, and nothing else is.

    Parameters
    ----------
    array
        Voxels of any shape and real type, after rescaling.
    modality
        ``'CT'`` or ``'MR'``; None decides by the values.

    Raises
    ------
    IntensityError
        If voxels are not finite, all the same, or cannot be of that modality, or if nothing says
        which modality they are.
    """
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        msg = "voxels must be finite, got NaN or infinite; repair or re-export the scan"
        raise IntensityError(msg)
    if low == high:
        msg = f"a scan has more than one value, got {low:g} in every voxel; export it again"
        raise IntensityError(msg)
    found = f"got {low:g} to {high:g}"
    if modality == "MR":
        if low < _AIR:
            msg = f"MR values lie above {_AIR:g}, {found}: this looks like CT; pass `--modality ct`"
            raise IntensityError(msg)
        return "MR"
    plausible = low >= _LOWEST_CT and high <= _HIGHEST_CT
    if plausible and (low <= _AIR or (modality == "CT" and low < 0)):
        return "CT"
    if low >= 0 and high <= 255:
        msg = (
            f"CT values are Hounsfield units with negative air, {found}: 8-bit pictures of a scan "
            "are not; export the scan itself, or pass `--modality mr` for an MR"
        )
    elif modality is None:
        msg = f"the file does not say whether it is CT or MR, {found}; pass `--modality mr` or `ct`"
    else:
        msg = f"CT values are Hounsfield units with negative air, {found}; for MR `--modality mr`"
    raise IntensityError(msg)
