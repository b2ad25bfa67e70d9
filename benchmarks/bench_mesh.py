"""Our surfaces beside those of the filters that a user would pick instead, in one run.

    python benchmarks/bench_mesh.py [--case ../shared/cases/ircadb-01]

Volume error is against the voxels; p95 is the 95th percentile of the distance from the points of a
surface to the faces of the voxels, along the axes of the grid; roughness is the mean angle between
neighbouring triangles; whole says closed, manifold and outward.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyvista as pv
import trimesh
import vtk
from skimage.measure import marching_cubes

from surgplan.io import read_scalar_map
from surgplan.mesh import Surface, from_polydata, reconstruct_mask, to_polydata
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN, Geometry, Segment, box_of

Mask = npt.NDArray[np.bool_]
Method = Callable[[Mask, Geometry, Segment], Surface]

_MEASURED_POINTS = 20_000


def ours(mask: Mask, geometry: Geometry, segment: Segment) -> Surface:
    """What this benchmark is about."""
    return reconstruct_mask(mask, geometry, segment)


def skimage_laplacian(mask: Mask, geometry: Geometry, segment: Segment) -> Surface:
    """Marching cubes on the mask, then ten rounds of Laplacian smoothing."""
    points, triangles, *_ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5)
    mesh = trimesh.Trimesh(geometry.to_lps(points - 1), triangles[:, ::-1], process=False)
    trimesh.smoothing.filter_laplacian(mesh, iterations=10)
    return _outward(Surface(points=mesh.vertices, triangles=mesh.faces, segment=segment))


def pyvista_contour_labels(mask: Mask, geometry: Geometry, segment: Segment) -> Surface:
    """SurfaceNets with its own smoothing, as pyvista sets it."""
    grid = _image(mask, geometry)
    mesh = grid.contour_labels(output_mesh_type="triangles")
    return _outward(_placed(mesh, geometry, segment))


def slicer_closed_surface(mask: Mask, geometry: Geometry, segment: Segment) -> Surface:
    """Flying edges, then a windowed sinc of 40 rounds and pass band 0.01, as 3D Slicer sets it."""
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(_image(mask, geometry))
    edges.SetValue(0, 1)
    smooth = vtk.vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(edges.GetOutputPort())
    smooth.SetNumberOfIterations(40)
    smooth.SetPassBand(0.01)
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    smooth.Update()
    return _outward(_placed(pv.wrap(smooth.GetOutput()), geometry, segment))


METHODS: dict[str, Method] = {
    "surgplan": ours,
    "skimage + Laplacian": skimage_laplacian,
    "pyvista contour_labels": pyvista_contour_labels,
    "Slicer's filters": slicer_closed_surface,
}


def _image(mask: Mask, geometry: Geometry) -> pv.ImageData:
    """The mask with its spacing, but straight: VTK's smoothing knows no other grid."""
    padded = np.pad(mask, 1).astype(np.uint8)
    grid = pv.ImageData(dimensions=padded.shape[::-1], spacing=geometry.spacing_mm[::-1])
    grid.point_data["label"] = padded.ravel()
    return grid


def _placed(mesh: pv.PolyData, geometry: Geometry, segment: Segment) -> Surface:
    straight = from_polydata(mesh, segment)
    index = straight.points[:, ::-1] / geometry.spacing_mm - 1
    return Surface(points=geometry.to_lps(index), triangles=straight.triangles, segment=segment)


def _signed_ml(surface: Surface) -> float:
    """By the divergence theorem, closed or not."""
    a, b, c = np.moveaxis(surface.points[surface.triangles] - surface.points.mean(axis=0), 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6000


def _outward(surface: Surface) -> Surface:
    if _signed_ml(surface) >= 0:
        return surface
    flipped = surface.triangles[:, ::-1]
    return Surface(points=surface.points, triangles=flipped, segment=surface.segment)


def voxel_faces(mask: Mask) -> Surface:
    """Every face between a voxel inside and one outside, in index space."""
    squares = []
    for axis in range(3):
        centres = np.argwhere(np.diff(np.pad(mask, 1).astype(np.int8), axis=axis) != 0) - 1.0
        centres[:, axis] += 0.5
        u, v = (np.eye(3)[a] / 2 for a in range(3) if a != axis)
        squares.append(centres[:, None] + np.array([-u - v, u - v, u + v, v - u]))
    points = np.concatenate(squares).reshape(-1, 3)
    first = np.arange(0, len(points), 4)[:, None]
    triangles = np.concatenate([first + np.array(t) for t in ((0, 1, 2), (0, 2, 3))])
    return Surface(points=points, triangles=triangles, segment=LIVER)


def p95_voxels(surface: Surface, faces: Surface, geometry: Geometry) -> float:
    """From a share of the points of the surface to the faces."""
    every = max(1, len(surface.points) // _MEASURED_POINTS)
    index = geometry.to_index(surface.points)[::every]
    nearest = vtk.vtkImplicitPolyDataDistance()
    nearest.SetInput(to_polydata(faces))
    return float(np.percentile([abs(nearest.EvaluateFunction(p)) for p in index], 95))


def roughness_deg(surface: Surface) -> float:
    """Mean angle between the normals at the two ends of an edge, by its length."""
    start, end = surface.triangles.ravel(), np.roll(surface.triangles, -1, axis=1).ravel()
    cosine = (surface.normals[start] * surface.normals[end]).sum(axis=1)
    length = np.linalg.norm(surface.points[start] - surface.points[end], axis=1)
    return float(np.average(np.degrees(np.arccos(np.clip(cosine, -1, 1))), weights=length))


def structures(case: Path) -> Iterator[tuple[str, Mask, Geometry, Segment]]:
    """Phantoms, then what the real case has."""
    for spacing in ((0.8, 0.8, 0.8), (5.0, 0.8, 0.8)):
        shape = tuple(int(64 / s) + 4 for s in spacing)
        geometry = Geometry.from_spacing(shape=shape, spacing_mm=spacing)
        where = geometry.to_lps(np.moveaxis(np.indices(shape), 0, -1)) - geometry.centre_mm
        ball = np.linalg.norm(where, axis=-1) <= 25.3
        yield f"ball {spacing[0]} mm slices", ball, geometry, LIVER_TUMOUR
        axis = np.array((0.6, 0.5, 0.62)) / np.linalg.norm((0.6, 0.5, 0.62))
        along = np.clip(where @ axis, -28, 28)[..., None]
        tube = np.linalg.norm(where - along * axis, axis=-1) <= 1.7
        yield f"vessel of 3.4 mm, {spacing[0]} mm slices", tube, geometry, PORTAL_VEIN
    if case.is_dir():
        labels, geometry = read_scalar_map(case / "labels.nii.gz")
        for name, label, segment in (("liver", 5, LIVER), ("portal vein", 10, PORTAL_VEIN)):
            box = box_of(labels == label, geometry)
            mask = (labels == label)[box]
            yield f"{case.name} {name}", mask, geometry.window(*_ends(box)), segment


def _ends(box: tuple[slice, ...]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    a, b, c = box
    return (a.start, b.start, c.start), (a.stop, b.stop, c.stop)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, default=Path("../shared/cases/ircadb-01"))
    case = parser.parse_args().case
    heads = ("method", "CPU seconds", "volume %", "p95 voxel", "rough deg", "whole", "triangles")
    for name, mask, geometry, segment in structures(case):
        volume_ml = mask.sum() * geometry.voxel_volume_mm3 / 1000
        print(f"\n{name}, {volume_ml:.2f} ml\n" + "".join(f"{h:>23}" for h in heads))
        faces = voxel_faces(mask)
        for method, build in METHODS.items():
            began = time.process_time()
            surface = build(mask, geometry, segment)
            seconds = time.process_time() - began
            whole = surface.is_closed and surface.volume_ml > 0
            error = 100 * (_signed_ml(surface) / volume_ml - 1)
            row = (
                method, f"{seconds:.2f}", f"{error:+.2f}",
                f"{p95_voxels(surface, faces, geometry):.2f}", f"{roughness_deg(surface):.1f}",
                "yes" if whole else "NO", str(len(surface.triangles)),
            )  # fmt: skip
            print("".join(f"{cell:>23}" for cell in row), flush=True)


if __name__ == "__main__":
    main()
