"""The scene as a viewer meets it: names, places, colours, order and size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from surgplan.errors import UsageError
from surgplan.io import write_scene
from surgplan.mesh import Surface
from surgplan.volume import LIVER, LIVER_TUMOUR, PORTAL_VEIN


def ball(segment, centre_mm, radius_mm, subdivisions=2) -> Surface:
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius_mm)
    return Surface(points=mesh.vertices + centre_mm, triangles=mesh.faces, segment=segment)


WHOLE = replace(LIVER, name="liver")
SURFACES = [
    ball(WHOLE, (-100.0, 40.0, -1300.0), 80.0),
    ball(LIVER_TUMOUR, (-120.0, 30.0, -1290.0), 15.0),
    ball(PORTAL_VEIN, (-80.0, 50.0, -1310.0), 6.0),
]


def tree_of(path: Path) -> dict:
    content = path.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + length])


@pytest.fixture(name="path")
def _path(tmp_path) -> Path:
    path = tmp_path / "scene.glb"
    write_scene(SURFACES, path)
    return path


def test_each_structure_stands_in_metres_with_the_head_up(path):
    scene = trimesh.load_scene(path)
    assert set(scene.graph.nodes_geometry) == {s.segment.name for s in SURFACES}
    for surface in SURFACES:
        transform, name = scene.graph[surface.segment.name]
        np.testing.assert_array_equal(transform, np.eye(4))
        mesh = scene.geometry[name]
        left, posterior, superior = surface.bounds_mm.mean(axis=0) / 1000
        np.testing.assert_allclose(
            mesh.bounds.mean(axis=0), (left, superior, -posterior), atol=1e-6
        )
        assert mesh.is_watertight
        assert mesh.volume * 1e6 == pytest.approx(surface.volume_ml, rel=1e-4)  # still outward
        assert (mesh.vertex_normals * (mesh.vertices - mesh.center_mass) > -1e-3).sum(1).min() == 3


def test_colours_are_linear_and_the_liver_comes_last(path):
    tree = tree_of(path)
    order = [tree["meshes"][node["mesh"]]["name"] for node in tree["nodes"] if "mesh" in node]
    assert order == ["liver tumour", "portal vein", "liver"]
    materials = {m["name"]: m for m in tree["materials"]}
    for surface in SURFACES:
        material = materials[surface.segment.name]
        *colour, opacity = material["pbrMetallicRoughness"]["baseColorFactor"]
        shown = np.where(
            np.array(colour) <= 0.0031308,
            np.array(colour) * 12.92,
            1.055 * np.power(colour, 1 / 2.4) - 0.055,
        )  # the way back, as a screen does it
        np.testing.assert_allclose(shown * 255, surface.segment.colour, atol=0.01)
        assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
        assert material["doubleSided"] is False
        liver = surface.segment.name == "liver"
        assert material["alphaMode"] == ("BLEND" if liver else "OPAQUE")
        assert (opacity < 0.6) if liver else (opacity == 1)
    for mesh in tree["meshes"]:
        (primitive,) = mesh["primitives"]
        assert tree["materials"][primitive["material"]]["name"] == mesh["name"]
        assert "NORMAL" in primitive["attributes"]


def test_the_file_says_unit_frame_codes_and_what_it_is_not(path):
    tree = tree_of(path)
    for about in (tree["asset"]["extras"], tree["scenes"][0]["extras"]):
        assert about["unit"] == "m"
        assert about["frame"] == "glTF: x left, y superior, z anterior (LPS x, z, -y)"
        assert about["note"].endswith("Not a medical device.")
    codes = {n["name"]: n["extras"]["code"]["value"] for n in tree["nodes"] if "mesh" in n}
    assert codes == {s.segment.name: s.segment.code.value for s in SURFACES}


def test_a_liver_alone_is_opaque(tmp_path):
    write_scene(SURFACES[:1], tmp_path / "liver.glb")
    (material,) = tree_of(tmp_path / "liver.glb")["materials"]
    assert material["alphaMode"] == "OPAQUE"
    assert material["pbrMetallicRoughness"]["baseColorFactor"][3] == 1


def test_same_surfaces_same_bytes(path, tmp_path):
    write_scene(SURFACES, tmp_path / "again.glb")
    assert (tmp_path / "again.glb").read_bytes() == path.read_bytes()


def test_a_scene_that_would_be_too_large_is_simplified_where_it_is_largest(tmp_path):
    surfaces = [ball(WHOLE, (0.0, 0.0, 0.0), 80.0, subdivisions=5), SURFACES[1]]
    path = tmp_path / "small.glb"
    write_scene(surfaces, path, max_mb=0.15)
    assert path.stat().st_size <= 150_000
    scene = trimesh.load_scene(path)
    assert len(scene.geometry["liver tumour"].faces) == len(SURFACES[1].triangles)
    liver = scene.geometry["liver"]
    assert liver.is_watertight
    assert liver.volume * 1e6 == pytest.approx(surfaces[0].volume_ml, rel=1e-3)


def test_unusable_scenes_are_refused(tmp_path):
    for surfaces in ([], [SURFACES[0], SURFACES[0]]):
        with pytest.raises(UsageError, match="name of their own"):
            write_scene(surfaces, tmp_path / "scene.glb")
    with pytest.raises(UsageError, match=r"\.glb"):
        write_scene(SURFACES, tmp_path / "scene.gltf")
    assert not list(tmp_path.iterdir())
