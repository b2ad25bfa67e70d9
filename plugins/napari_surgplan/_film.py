"""Pictures in a row as a file."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt

from napari_surgplan._follow import Progress, silent
from surgplan.errors import MissingExtraError, NothingToDoError, UsageError
from surgplan.io import atomic_file

Picture = npt.NDArray[np.uint8]

SUFFIXES = (".gif", ".mp4")
_VIDEO = "a video as MP4 (a GIF needs nothing more)"


def check_film(path: Path) -> None:
    """Refuse what cannot be written, before anything is recorded.

    Raises
    ------
    MissingExtraError
        If the name asks for a video and the encoder is not installed.
    UsageError
        If it asks for neither a GIF nor a video.
    """
    if path.suffix.lower() not in SUFFIXES:
        msg = f"a film is written as {' or '.join(SUFFIXES)}, got {path.name}; name it so"
        raise UsageError(msg)
    if path.suffix.lower() == ".mp4" and find_spec("imageio_ffmpeg") is None:
        raise MissingExtraError(_VIDEO, "film")


def write_film(
    path: Path,
    pictures: Sequence[Picture],
    *,
    per_second: float = 12.0,
    progress: Progress = silent,
) -> Path:
    """Write pictures ``(h, w, 3 or 4)`` as GIF, or as MP4 where ffmpeg is there.

    Raises
    ------
    NothingToDoError
        If there is no picture.
    MissingExtraError, UsageError
        As `check_film`.
    OutputError
        If the file cannot be written.
    """
    check_film(path)
    if not pictures:
        msg = "a film needs pictures, got none; play the rehearsal first"
        raise NothingToDoError(msg)
    progress(0.1, "writing")
    frames = [np.ascontiguousarray(p[..., :3]) for p in pictures]
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".gif":
            imageio.imwrite(temporary, frames, extension=".gif", duration=1000 / per_second, loop=0)
        else:
            _write_video(temporary, frames, per_second)
    progress(1.0, "written")
    return path


def _write_video(path: Path, frames: Sequence[Picture], per_second: float) -> None:
    even = [f[: f.shape[0] // 2 * 2, : f.shape[1] // 2 * 2] for f in frames]
    imageio.imwrite(
        path, even, plugin="FFMPEG", extension=".mp4", fps=per_second, macro_block_size=2
    )
