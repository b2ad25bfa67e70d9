"""Surfaces of one patient as one glTF 2.0 scene (.glb), for tablets, browsers and headsets.

glTF fixes unit and axes: metres, +Y up, the front looks along +Z. A patient who stands in the scene
and looks at the viewer therefore has::

    glTF x = LPS x / 1000    left
    glTF y = LPS z / 1000    superior
    glTF z = -LPS y / 1000   anterior

This is a rotation, so triangles keep their side. Source: glTF 2.0, Khronos Group 2021, section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import CorruptFileError, InputRefusedError, UsageError
from surgplan.io._atomic import atomic_file
from surgplan.mesh import Surface, simplify
from surgplan.volume import LIVER, Segment

LPS_TO_GLTF = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""``(3, 3)`` rotation from LPS to the axes of glTF."""

FRAME = "glTF: x left, y superior, z anterior (LPS x, z, -y)"

_MM_PER_METRE = 1000
_BYTES_PER_TRIANGLE = 24  # three indices, and half a point with place and normal
_BYTES_ABOUT = 2000  # what is said about a surface and about the scene
_FILL = 0.96  # simplified surfaces have a few triangles more than asked
_LIVER_OPACITY = 0.4
_ROUGHNESS = 0.6


def write_scene(surfaces: Sequence[Surface], path: Path | str, *, max_mb: float = 25.0) -> None:
    """Write surfaces as one GLB with one named, coloured node each.

    The liver is translucent and drawn last, so that what lies in it is seen; everything else is
    opaque. Unit, frame and codes stand in ``extras``. The same surfaces give the same bytes.

    Parameters
    ----------
    surfaces
        At least one, each with its own name.
    path
        Ends in ``.glb``; written in one piece.
    max_mb
        Megabytes (10^6 bytes) that the file may have: the surfaces with most triangles are
        simplified until it fits.

    Raises
    ------
    UsageError
        If there is no surface, a name repeats or the suffix is another one.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    names = [surface.segment.name for surface in surfaces]
    if not names or len(set(names)) < len(names):
        msg = f"a scene needs surfaces with a name of their own each, got {names}"
        raise UsageError(msg)
    if path.suffix.lower() != ".glb":
        msg = f"a scene is written as .glb, got {path.name!r}"
        raise UsageError(msg)
    for_triangles = max_mb * 1e6 * _FILL - _BYTES_ABOUT * (len(names) + 1)
    content = _glb(_fitting(surfaces, int(for_triangles / _BYTES_PER_TRIANGLE)))
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def read_glb(path: Path, segment: Segment) -> Surface:
    """The one surface of a GLB that `write_scene` wrote, in LPS millimetres.

    Raises
    ------
    CorruptFileError
        If it is no GLB.
    InputRefusedError
        If it holds several surfaces, or does not say that its frame is ours.
    """
    import trimesh  # here, because most of what reads and writes needs no scene

    try:
        scene = trimesh.load_scene(path, file_type="glb", process=False)
    except Exception as e:  # trimesh lets through whatever its parser meets
        msg = f"cannot read {path.name} as GLB: {e}; export it again"
        raise CorruptFileError(msg) from e
    if scene.metadata.get("frame") != FRAME:
        msg = f"{path.name} does not say where it lies in the patient; use STL, VTP or PLY in LPS"
        raise InputRefusedError(msg)
    if len(scene.geometry) != 1:
        msg = f"{path.name} holds {sorted(scene.geometry)}, but one surface is asked for"
        raise InputRefusedError(msg)
    (mesh,) = scene.geometry.values()
    points = np.asarray(mesh.vertices, dtype=np.float64) @ LPS_TO_GLTF * _MM_PER_METRE
    return Surface(points=points, triangles=np.asarray(mesh.faces), segment=segment)


def _fitting(surfaces: Sequence[Surface], most: int) -> list[Surface]:
    """The surfaces with at most so many triangles in all; the largest ones give first."""
    sizes = np.sort([len(surface.triangles) for surface in surfaces])
    if sizes.sum() <= most:
        return list(surfaces)
    rest, cap = most, 0
    for done, size in enumerate(sizes):
        cap = rest // (len(sizes) - done)
        if size > cap:
            break
        rest -= int(size)
    return [simplify(surface, max(cap, 4)) for surface in surfaces]


def _glb(surfaces: list[Surface]) -> bytes:
    import trimesh  # here, because most of what reads and writes needs no scene

    scene = trimesh.Scene()
    alone = len(surfaces) == 1
    for surface in sorted(surfaces, key=lambda s: _opacity(s.segment, alone=alone) < 1):
        mesh = trimesh.Trimesh(
            vertices=surface.points @ LPS_TO_GLTF.T / _MM_PER_METRE,
            faces=surface.triangles,
            vertex_normals=surface.normals @ LPS_TO_GLTF.T,
            process=False,
            visual=trimesh.visual.TextureVisuals(
                material=trimesh.visual.material.PBRMaterial(name=surface.segment.name)
            ),
        )
        name = surface.segment.name
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    by_name = {s.segment.name: s.segment for s in surfaces}

    def describe(tree: dict[str, Any]) -> None:
        _describe(tree, by_name)

    content: bytes = trimesh.exchange.gltf.export_glb(
        scene, include_normals=True, tree_postprocessor=describe
    )
    return content


def _describe(tree: dict[str, Any], segments: dict[str, Segment]) -> None:
    """Replace what trimesh says about the scene by what we want to be said."""
    about = {"unit": "m", "frame": FRAME, "note": NOT_A_MEDICAL_DEVICE}
    tree["asset"] = {"version": "2.0", "generator": f"surgplan {__version__}", "extras": about}
    tree["scenes"][0]["extras"] = about
    for node in tree["nodes"]:
        if node.get("name") in segments:
            node["extras"] = _extras(segments[node["name"]])
    for mesh in tree["meshes"]:
        mesh["extras"] = _extras(segments[mesh["name"]])
    alone = len(segments) == 1
    tree["materials"] = [
        _material(segments[material["name"]], alone=alone) for material in tree["materials"]
    ]


def _extras(segment: Segment) -> dict[str, Any]:
    code = segment.code
    return {
        "label": segment.label,
        "code": {"scheme": code.scheme, "value": code.value, "meaning": code.meaning},
    }


def _material(segment: Segment, *, alone: bool) -> dict[str, Any]:
    opacity = _opacity(segment, alone=alone)
    colour = np.round(_linear(segment.colour), 6).tolist()
    return {
        "name": segment.name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*colour, opacity],
            "metallicFactor": 0.0,
            "roughnessFactor": _ROUGHNESS,
        },
        "alphaMode": "OPAQUE" if opacity == 1 else "BLEND",
        "doubleSided": False,
    }


def _opacity(segment: Segment, *, alone: bool) -> float:
    """The liver lets through what lies in it; a surface alone hides nothing."""
    return _LIVER_OPACITY if segment.code == LIVER.code and not alone else 1.0


def _linear(colour: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """From sRGB 0..255 to linear light 0..1 (IEC 61966-2-1), as glTF wants colour factors."""
    shown = np.asarray(colour) / 255
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
