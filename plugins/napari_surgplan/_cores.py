"""Products of matrices on one core, so that others are free to draw."""

from __future__ import annotations

from threadpoolctl import threadpool_limits


class OneCore:
    """From now until `end`, numpy multiplies on the thread that asks for it.

    Those of the engine are small: spread over all cores they are no sooner there, and cost the
    other cores as much time again, which a window without a graphics card draws with.
    """

    def __init__(self) -> None:
        self._limits = threadpool_limits(limits=1, user_api="blas")

    def end(self) -> None:
        """As many cores as before."""
        self._limits.restore_original_limits()
