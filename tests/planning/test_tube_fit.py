"""Diameters of vessels between thick slices, against tubes of known radius."""

import numpy as np
import pytest

from surgplan.planning import vessel_tree
from surgplan.planning._tube_fit import Wall
from surgplan.volume import LIVER, PORTAL_VEIN

FROM_ENDS = 3.0
UPRIGHT = 1e9


def tube(space, spacing, radius, slope, height, turn):
    """The radii along a tube that rises by a slope, its middle so far above a slice's."""
    body = space(spacing, (36, 24, 24), turn).ellipsoid(LIVER, (0, 0, 0), (34, 22, 22))
    up = body.geometry.affine[:3, 0] / spacing[0]
    along = body.geometry.affine[:3, 2] / spacing[2]
    body = body.tube(PORTAL_VEIN, height * up, along + slope * up, radius)
    (line,) = vessel_tree(body.label_map, "portal").branches
    ends = np.linalg.norm(line.points_mm[:, None] - line.points_mm[[0, -1]], axis=-1).min(axis=1)
    return line.radius_mm[ends > FROM_ENDS * radius]


@pytest.mark.parametrize("thick", [2.5, 4.0])
@pytest.mark.parametrize(("radius", "turn"), [(2.6, None), (3.0, 3)])
@pytest.mark.parametrize("slope", [0.0, 0.15, 0.4, 1.0, UPRIGHT])
def test_a_diameter_is_met_within_half_a_millimetre_wherever_the_slices_lie(
    space, thick, slope, radius, turn
):
    for height in np.linspace(0, 0.5, 3) * thick:
        found = tube(space, (thick, 0.8, 0.8), radius, slope, height, turn)
        assert len(found) > 5
        assert 2 * np.abs(found - radius).max() <= 0.5


def test_only_thick_slices_are_looked_at_as_such(space):
    def wall(spacing):
        body = space(spacing, (12, 12, 12)).tube(PORTAL_VEIN, (0, 0, 0), (1, 0, 0), 3.0)
        return Wall.of(body.label_map.mask(PORTAL_VEIN), body.geometry)

    assert wall((0.8, 0.8, 0.8)) is None
    assert wall((1.6, 0.6, 0.6)) is None  # thin beside any vessel that is named
    assert wall((3.0, 2.0, 2.0)) is None
    found = wall((4.0, 0.8, 0.8))
    away = np.linalg.norm(found.inside_mm - found.outside_mm, axis=1)
    assert away[found.apart] == pytest.approx(4.0)
    assert away[~found.apart] == pytest.approx(0.8)
    assert found.slices_mm == pytest.approx([0, 0, 4.0])
