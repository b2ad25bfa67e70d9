"""Lines for what thinning left without one."""

import numpy as np

from surgplan.planning._covered import covered
from surgplan.planning._lines import Lines


def test_a_way_laid_in_the_same_round_may_lead_through_a_later_tip():
    """A thread with a line at one end; half-way a thick neighbour's line is near enough to it."""
    depth = np.zeros((60, 20, 3), np.float32)
    depth[:, 0, 1] = 0.4
    lines = Lines(
        index=np.array([[59, 0, 1], [40, 15, 1]]),
        radius_mm=np.array([0.4, 9.0]),
        edges=np.zeros((0, 2), np.int64),
    )
    found = covered(lines, depth, 1.0)
    thread = np.sort(found.index[found.index[:, 1] == 0, 0])
    assert (thread == np.arange(thread[0], 60)).all()
    assert thread[0] <= 2
    assert len(found.edges) == len(thread) - 1
