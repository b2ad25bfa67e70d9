"""The stages of a case, one after the other; what is done and still true is not done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from surgplan.cli._terminal import Progress, terminal

if TYPE_CHECKING:
    from surgplan.io import Case, Stage

Work = Callable[["Stage", Progress], None]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The stages of one run.

    Attributes
    ----------
    case
        The case folder.
    force
        Do every stage, also those that are done.
    states
        What became of each stage: ``'done'`` now, or ``'kept'`` from an earlier run.
    """

    case: Case
    force: bool
    states: dict[str, str] = field(default_factory=dict)

    def do(
        self,
        name: str,
        title: str,
        work: Work,
        *,
        settings: Mapping[str, Any] | None = None,
        needs: Sequence[str] = (),
    ) -> None:
        """Do a stage unless it was done with these settings on these files."""
        if not self.force and self.case.is_done(name, settings=settings, needs=needs):
            self.states[name] = "kept"
            terminal().note(f"{title}: done before")
            return
        with (
            self.case.stage(name, settings=settings, needs=needs) as stage,
            terminal().progress(title) as progress,
        ):
            work(stage, progress)
        self.states[name] = "done"
