"""Drawing 3D views on machines with and without a screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan.report._views import Layer, View

TIME_LIMIT_S = 600.0
"""After this long the driver is taken for hanging."""

_GL_WINDOWS = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
_HOW_TO_GET_IT = "install libegl1 and libgl1-mesa-dri, or libosmesa6"


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Pictures, or why there are none.

    Attributes
    ----------
    pictures
        One ``(row, column, 3)`` uint8 per view; empty where nothing could be drawn.
    reason
        Why there are no pictures, for people; empty where there are.
    """

    pictures: tuple[npt.NDArray[np.uint8], ...] = ()
    reason: str = ""


def draw_views(views: Sequence[View]) -> Drawn:
    """Draw views in a child process, so that a missing or broken driver costs pictures only."""
    if not views:
        return Drawn()
    reason = ""
    with tempfile.TemporaryDirectory(prefix="surgplan-views-") as name:
        folder = Path(name)
        _write_job(views, folder)
        for window in _GL_WINDOWS if sys.platform == "linux" else ("",):
            drawn = _run(folder, window, len(views))
            if drawn.pictures:
                return drawn
            reason = reason or drawn.reason
    return Drawn(reason=reason)


def _run(folder: Path, window: str, count: int) -> Drawn:
    environment = dict(os.environ)
    if window:
        environment["VTK_DEFAULT_OPENGL_WINDOW"] = window
    command = [sys.executable, "-P", str(Path(__file__).with_name("_renderer.py")), str(folder)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Drawn(reason=f"3D drawing did not end within {TIME_LIMIT_S:.0f} s")
    except OSError as e:
        return Drawn(reason=f"3D drawing could not start: {e}")
    if done.returncode != 0:
        return Drawn(reason=f"this machine has no working OpenGL for drawing 3D; {_HOW_TO_GET_IT}")
    pictures = tuple(np.load(folder / f"view{n}.npy", allow_pickle=False) for n in range(count))
    if any(int(p.max()) == int(p.min()) for p in pictures):
        return Drawn(reason=f"the OpenGL of this machine draws empty pictures; {_HOW_TO_GET_IT}")
    return Drawn(pictures=pictures)


def _write_job(views: Sequence[View], folder: Path) -> None:
    layers = [layer for view in views for layer in view.layers]
    for index, layer in enumerate(layers):
        for name, array in _mesh_arrays(layer).items():
            np.save(folder / f"{name}{index}.npy", array)
    numbers = iter(range(len(layers)))
    entries = [
        {
            "layers": [{"mesh": next(numbers), "opacity": la.opacity} for la in view.layers],
            "size": list(view.camera.size),
            "focal_mm": view.camera.focal_mm.tolist(),
            "towards": view.camera.towards.tolist(),
            "up": view.camera.up.tolist(),
            "half_height_mm": view.camera.half_height_mm,
        }
        for view in views
    ]
    job = {"meshes": len(layers), "views": entries}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")


def _mesh_arrays(layer: Layer) -> dict[str, npt.NDArray[Any]]:
    count = len(layer.points)
    return {
        "points": layer.points,
        "triangles": layer.triangles,
        "keep": np.ones(count) if layer.keep is None else layer.keep,
        "colour": np.broadcast_to(np.asarray(layer.colour, dtype=np.uint8), (count, 3)),
    }
