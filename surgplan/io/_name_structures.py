"""Names of a model's or file's parts to our structures, without guessing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surgplan.errors import LabelError
from surgplan.io._label_names import IGNORE, read_table, refuse_unsure, structure_named
from surgplan.volume import ANATOMY, Segment


def name_structures(
    names: Sequence[str], *, what: str, table: Path | None = None
) -> dict[str, Segment | None]:
    """The structure that each name means; None for what is known and none of ours.

    Parameters
    ----------
    names
        For example ``('liver', 'kidney_left')``.
    what
        Whose names they are, for the message.
    table
        JSON file that says it where a name does not: ``{"hepatic vessel": "hepatic veins",
        "class_3": "ignore"}``.

    Raises
    ------
    LabelError
        If a name is not known and the table does not say what it means.
    """
    said = {e.name: e.structure for e in read_table(table)} if table else {}
    found: dict[str, Segment | None] = {}
    unsure = []
    for name in names:
        word = said.get(name) or name
        meant = IGNORE if word == IGNORE else structure_named(word)
        if meant is None:
            unsure.append(name)
        else:
            found[name] = meant if isinstance(meant, Segment) and meant in ANATOMY else None
    if unsure:
        refuse_unsure(unsure, what, numbers={})
    strange = sorted(set(said) - set(names))
    if strange:
        msg = f"{what} has no part called {strange[0]!r}; its parts are {', '.join(names)}"
        raise LabelError(msg)
    return found
