"""What napari would otherwise load with the first layer, while the user waits for it."""

from __future__ import annotations

from functools import cache


@cache
def warm_up() -> None:
    """Read the register of units, and the tables that labels use; the second time costs nothing."""
    import pandas  # noqa: F401 (napari loads it late)
    import pint

    _ = pint.get_application_registry().mm  # type: ignore[no-untyped-call]
