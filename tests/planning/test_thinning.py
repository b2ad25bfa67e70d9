import numpy as np
import pytest
from scipy import ndimage

from surgplan.planning import vessel_tree
from surgplan.planning._thinning import thinned
from surgplan.volume import LIVER, PORTAL_VEIN, Geometry, LabelMap


def tube(shape, axis, centre, radius, ends, spacing=(1, 1, 1)):
    """A straight tube along an array axis; centre and ends in voxels."""
    index = np.indices(shape)
    across = [a for a in range(3) if a != axis]
    away = [(index[a] - c) * spacing[a] for a, c in zip(across, centre, strict=True)]
    round_ = away[0] ** 2 + away[1] ** 2 < radius**2
    return round_ & (index[axis] >= ends[0]) & (index[axis] < ends[1])


@pytest.mark.parametrize("radius", [1.5, 2, 3, 4])
@pytest.mark.parametrize("centre", [(15, 15), (15.5, 15.5), (15, 15.5), (15.5, 15)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_keeps_its_length_however_many_voxels_it_is_wide(axis, centre, radius):
    shape = [31, 31, 31]
    shape[axis] = 40
    mask = tube(shape, axis, centre, radius, (0, 40))
    lines = np.argwhere(thinned(ndimage.distance_transform_edt(mask).astype(np.float32), 1.0))
    assert np.ptp(lines[:, axis]) >= 39 - 2 * (radius + 1)
    across = [a for a in range(3) if a != axis]
    assert np.abs(lines[:, across] - centre).max() <= 1


@pytest.mark.parametrize("centre", [(20, 20), (20.5, 20), (20.5, 20.5)])
def test_no_arm_of_a_fork_is_eaten_up(centre):
    shape = (60, 41, 50)
    trunk = tube(shape, 0, centre, 3, (5, 55))
    arm = tube(shape, 2, (30.5, centre[0]), 2, (20, 48))
    lines = np.argwhere(
        thinned(ndimage.distance_transform_edt(trunk | arm).astype(np.float32), 1.0)
    )
    assert lines[:, 0].min() <= 10
    assert lines[:, 0].max() >= 49
    assert lines[:, 2].max() >= 44


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.5, 0.8, 0.8)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_tube_across_the_whole_grid_is_a_vessel(axis, spacing_mm):
    shape = (40, 40, 40)
    mask = tube(shape, axis, (19.5, 19.5), 3.0, (0, 40), spacing_mm)
    geometry = Geometry.from_spacing(shape=shape, spacing_mm=spacing_mm, origin_mm=(0, 0, 0))
    array = np.where(mask, PORTAL_VEIN.label, LIVER.label).astype(np.uint8)
    label_map = LabelMap(array=array, geometry=geometry, segments=(LIVER, PORTAL_VEIN))
    (branch,) = vessel_tree(label_map, "portal").branches
    length = np.linalg.norm(branch.points_mm[-1] - branch.points_mm[0])
    assert length >= 39 * spacing_mm[axis] - 10
