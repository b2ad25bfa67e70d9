"""Where an installed TotalSegmentator keeps its weights, which are nnU-Net v2 model folders."""

from __future__ import annotations

import os
from pathlib import Path

from surgplan.errors import NothingToDoError

TOTALSEGMENTATOR_TASKS = {
    "totalsegmentator": (297, "total_fast"),
    "totalsegmentator-mr": (852, "total_fast_mr"),
}
"""Number and name of the tasks that find all organs at 3 mm: one network each."""


def totalsegmentator_folder(name: str) -> Path:
    """Its model folder for CT or MR, as `totalseg_download_weights` has laid it down.

    Parameters
    ----------
    name
        A key of `TOTALSEGMENTATOR_TASKS`.

    Raises
    ------
    NothingToDoError
        If the weights are not on this machine; surgplan downloads nothing.
    """
    root = _weights()
    task, its_name = TOTALSEGMENTATOR_TASKS[name]
    found = sorted(root.glob(f"Dataset{task}_*/*__3d_*/plans.json"))
    if not found:
        msg = (
            f"no weights of TotalSegmentator's task {task} in {root}; get them with "
            f"`totalseg_download_weights -t {its_name}` or set TOTALSEG_WEIGHTS_PATH"
        )
        raise NothingToDoError(msg)
    return found[-1].parent


def _weights() -> Path:
    if told := os.environ.get("TOTALSEG_WEIGHTS_PATH"):
        return Path(told)
    home = os.environ.get("TOTALSEG_HOME_DIR") or Path.home() / ".totalsegmentator"
    return Path(home) / "nnunet" / "results"
