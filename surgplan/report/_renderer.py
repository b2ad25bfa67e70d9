"""Draws views of surfaces without a screen: the script that `_offscreen` runs as a child process.

In: a folder with ``job.json`` and the arrays of its meshes. Out: ``view0.npy`` and so on there,
one RGB picture per view.
It stands alone, so that neither a crash of the graphics driver nor its settings reach the caller.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyvista as pv

OVERSAMPLING = 2  # drawn larger and averaged: the same smooth edges on every driver
RIM_OPACITY = 0.55  # a clear surface seen edge-on: its outline tells its shape
SHADING = {
    "smooth_shading": True,
    "ambient": 0.22,
    "diffuse": 0.78,
    "specular": 0.22,
    "specular_power": 24.0,
    "show_scalar_bar": False,
    "copy_mesh": False,
}


def draw(view: dict[str, Any], meshes: list[Any]) -> npt.NDArray[np.uint8]:
    """One view as ``(row, column, 3)`` uint8, on white."""
    size = [n * OVERSAMPLING for n in view["size"]]
    plotter = pv.Plotter(off_screen=True, window_size=size, lighting="light kit")
    plotter.set_background("white")
    plotter.renderer.UseOITOff()  # triangles come sorted; peeling costs five times as long
    towards = np.asarray(view["towards"])
    clear = []
    for layer in view["layers"]:
        shown = meshes[layer["mesh"]].clip_scalar(scalars="keep", value=0.0, invert=False)
        if shown.n_cells == 0:
            continue
        if layer["opacity"] < 1:
            clear.append(_with_rim(shown, layer, towards))
        else:
            plotter.add_mesh(shown, scalars="colour", rgb=True, **SHADING)
    if clear:
        plotter.add_mesh(_back_to_front(clear, towards), scalars="rgba", rgba=True, **SHADING)
    _aim(plotter, view, towards)
    picture = _averaged(np.asarray(plotter.screenshot(return_img=True))[..., :3])
    plotter.close()
    return picture


def _with_rim(mesh: Any, layer: dict[str, Any], towards: npt.NDArray[np.float64]) -> Any:
    facing = np.abs(np.asarray(mesh.point_data["Normals"]) @ towards)
    rim = max(RIM_OPACITY, layer["opacity"])
    opacity = layer["opacity"] + (rim - layer["opacity"]) * (1 - facing) ** 3
    alpha = np.rint(255 * np.clip(opacity, 0, 1)).astype(np.uint8)
    mesh.point_data["rgba"] = np.column_stack([mesh.point_data["colour"], alpha])
    return mesh


def _back_to_front(meshes: list[Any], towards: npt.NDArray[np.float64]) -> Any:
    """All clear surfaces as one, triangles sorted so that nearer ones are blended over farther."""
    merged = meshes[0].append_polydata(*meshes[1:]) if len(meshes) > 1 else meshes[0]
    merged = merged.triangulate()
    triangles = merged.regular_faces
    depth = (np.asarray(merged.points) @ towards)[triangles].mean(axis=1)
    ordered = pv.PolyData.from_regular_faces(
        merged.points, triangles[np.argsort(depth, kind="stable")]
    )
    for name in ("rgba", "Normals"):
        ordered.point_data[name] = merged.point_data[name]
    return ordered


def _aim(plotter: Any, view: dict[str, Any], towards: npt.NDArray[np.float64]) -> None:
    focal = np.asarray(view["focal_mm"])
    plotter.enable_parallel_projection()
    plotter.camera.focal_point = focal
    plotter.camera.position = focal + 1000.0 * towards
    plotter.camera.up = view["up"]
    plotter.camera.parallel_scale = view["half_height_mm"]
    plotter.reset_camera_clipping_range()


def _averaged(large: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    rows, columns = (n // OVERSAMPLING for n in large.shape[:2])
    blocks = large.reshape(rows, OVERSAMPLING, columns, OVERSAMPLING, 3).astype(np.float32)
    averaged: npt.NDArray[np.uint8] = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return averaged


def _mesh(folder: Path, index: int) -> Any:
    points, triangles, keep, colour = (
        np.load(folder / f"{name}{index}.npy", allow_pickle=False)
        for name in ("points", "triangles", "keep", "colour")
    )
    mesh = pv.PolyData.from_regular_faces(points, triangles)
    mesh = mesh.compute_normals(
        cell_normals=False, split_vertices=False, consistent_normals=False, feature_angle=180.0
    )
    mesh.point_data["keep"] = keep
    mesh.point_data["colour"] = colour
    return mesh


def main(folder: Path) -> None:
    """Draw every view of the job in the folder."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    meshes = [_mesh(folder, index) for index in range(job["meshes"])]
    for number, view in enumerate(job["views"]):
        np.save(folder / f"view{number}.npy", draw(view, meshes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
