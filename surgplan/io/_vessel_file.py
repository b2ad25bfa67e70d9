"""``vessels.json``: the vessel trees of a case, and what each branch feeds or drains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import CorruptFileError
from surgplan.io._atomic import write_json
from surgplan.io._guard import read_json
from surgplan.planning import Territories, VesselTree

VESSELS_SCHEMA = "surgplan.vessels/1"


def write_vessels(territories: Sequence[Territories], path: Path | str) -> None:
    """Write trees with the millilitres of each branch.

    Parameters
    ----------
    territories
        One per tree.
    path
        The file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = {
        "schema": VESSELS_SCHEMA,
        "notice": NOT_A_MEDICAL_DEVICE,
        "trees": [t.tree.to_dict() for t in territories],
        "territories": [row for t in territories for row in t.table()],
    }
    write_json(content, Path(path))


def read_vessels(path: Path | str) -> tuple[VesselTree, ...]:
    """The trees of `write_vessels`.

    Raises
    ------
    NothingToDoError
        If there is no such file.
    CorruptFileError
        If it is not one of ours.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != VESSELS_SCHEMA:
        msg = f"{Path(path).name} is no {VESSELS_SCHEMA}; `surgplan couinaud` writes one"
        raise CorruptFileError(msg)
    return tuple(VesselTree.from_dict(tree) for tree in content.get("trees", ()))
