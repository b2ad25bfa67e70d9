"""Which engine runs a model here, in words."""

from __future__ import annotations

from surgplan.segmentation._bundle import find_model, load_network
from surgplan.segmentation._engine import REFERENCE
from surgplan.segmentation._probe import fastest, timings_for

MANY_WINDOWS = 50


def describe_engine(model: str | None = None) -> str:
    """The engine for a large scan, its seconds a window, and those of the reference.

    Measured where it was not measured before.
    """
    info = find_model(model)
    shape = (1, info.network.channels, *info.window)
    timings = timings_for(load_network(info), info.sha256, shape)
    best = fastest(timings, MANY_WINDOWS)
    slow = next(t for t in timings if t.engine == REFERENCE)
    return (
        f"{info.name} on {best.engine}: {best.window_s:.2f} s a window, labels agree on "
        f"{100 * best.agreement:.2f} % ({REFERENCE}: {slow.window_s:.2f} s)"
    )
