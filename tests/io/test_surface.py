"""Surface files: what comes back, what other programs read, what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import pyvista
import trimesh
from scipy.spatial import cKDTree

from surgplan.errors import (
    CorruptFileError,
    InputRefusedError,
    NothingToDoError,
    OutputError,
    UsageError,
)
from surgplan.io import read_surface, write_scene, write_surface
from surgplan.mesh import Surface
from surgplan.volume import LIVER, LIVER_TUMOUR

SUFFIXES = [".stl", ".vtp", ".ply", ".glb"]


@pytest.fixture(name="surface", scope="module")
def _surface() -> Surface:
    """A ball with a bump to one side, far from the origin as scanners like it."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=20)
    points = ball.vertices + np.maximum(ball.vertices[:, :1], 0) * (0.4, 0.1, 0.0)
    points = points * (1.0, 0.8, 0.6) + (-212.4, 77.7, -1403.2)
    return Surface(points=points, triangles=ball.faces, segment=LIVER_TUMOUR)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(tmp_path, surface, suffix):
    path = tmp_path / "deeper" / f"tumour{suffix}"
    write_surface(surface, path)
    back = read_surface(path, LIVER_TUMOUR)
    distance, nearest = cKDTree(back.points).query(surface.points)
    assert distance.max() <= 1e-4
    assert len(set(nearest)) == len(back.points) == len(surface.points)
    assert back.is_closed
    assert back.volume_ml == pytest.approx(surface.volume_ml, rel=1e-5)  # and so still outward
    assert back.segment == LIVER_TUMOUR
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_surface_same_bytes(tmp_path, surface, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in ("first", "second")]
    for path in paths:
        write_surface(surface, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("suffix", [".stl", ".vtp", ".ply"])
def test_other_programs_read_lps_millimetres(tmp_path, surface, suffix):
    path = tmp_path / f"tumour{suffix}"
    write_surface(surface, path)
    mesh = pyvista.read(path)
    np.testing.assert_allclose(mesh.bounds, surface.bounds_mm.T.ravel(), atol=1e-4)
    assert mesh.volume / 1000 == pytest.approx(surface.volume_ml, rel=1e-4)
    if suffix != ".vtp":  # packed there, see below
        assert b"SPACE=LPS" in path.read_bytes()
        assert b"ot a medical device" in path.read_bytes()


def test_stl_is_binary_and_names_its_frame(tmp_path, surface):
    path = tmp_path / "tumour.stl"
    write_surface(surface, path)
    content = path.read_bytes()
    assert not content.startswith(b"solid")
    assert b"SPACE=LPS" in content[:80]
    assert struct.unpack_from("<I", content, 80)[0] == len(surface.triangles)
    assert len(content) == 84 + 50 * len(surface.triangles)


def test_vtp_says_what_it_is(tmp_path, surface):
    path = tmp_path / "tumour.vtp"
    write_surface(surface, path)
    mesh = pyvista.read(path)
    facts = {key: mesh.field_data[key].tolist() for key in mesh.field_data.keys()}  # noqa: SIM118
    assert facts == {
        "SPACE": ["LPS"],
        "UNIT": ["mm"],
        "NAME": ["liver tumour"],
        "CODE": ["SCT^126851005^Neoplasm of liver"],
        "NOTE": ["Research and education only. Not a medical device."],
        "COLOUR": [list(LIVER_TUMOUR.colour)],
    }
    assert mesh.points.dtype == np.float64


def test_ply_has_the_colour(tmp_path, surface):
    path = tmp_path / "tumour.ply"
    write_surface(surface, path)
    colours = trimesh.load(path, process=False).visual.vertex_colors
    assert np.unique(colours[:, :3], axis=0).tolist() == [list(LIVER_TUMOUR.colour)]


@pytest.mark.parametrize("suffix", [".stl", ".vtp", ".ply"])
@pytest.mark.parametrize(("space", "signs"), [(b"RAS", (-1, -1, 1)), (b"xyz", None)])
def test_the_frame_in_the_file_counts(tmp_path, surface, suffix, space, signs):
    path = tmp_path / f"slicer{suffix}"
    if suffix == ".vtp":
        mesh = pyvista.PolyData.from_regular_faces(surface.points, surface.triangles)
        mesh.field_data["SPACE"] = [space.decode()]
        mesh.save(path)
    else:
        write_surface(surface, path)
        path.write_bytes(path.read_bytes().replace(b"SPACE=LPS", b"SPACE=" + space))
    if signs is None:
        with pytest.raises(InputRefusedError, match="only LPS and RAS"):
            read_surface(path, LIVER)
        return
    back = read_surface(path, LIVER)
    distance, _ = cKDTree(back.points).query(surface.points * signs)
    assert distance.max() <= 1e-4
    assert back.volume_ml == pytest.approx(surface.volume_ml, rel=1e-5)


def test_no_word_about_the_frame_means_lps(tmp_path, surface):
    mesh = pyvista.PolyData.from_regular_faces(surface.points, surface.triangles)
    for suffix in (".stl", ".vtp", ".ply"):
        path = tmp_path / f"plain{suffix}"
        mesh.save(path)
        back = read_surface(path, LIVER)
        np.testing.assert_allclose(back.bounds_mm, surface.bounds_mm, atol=1e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_damaged_files_are_refused_in_one_line(tmp_path, surface, suffix, damage, capfd):
    path = tmp_path / f"damaged{suffix}"
    write_surface(surface, path)
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"not a mesh", "half": whole[: len(whole) // 2]}[damage]
    )
    with pytest.raises(CorruptFileError, match="damaged") as caught:
        read_surface(path, LIVER)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_points_without_triangles_are_no_surface(tmp_path):
    path = tmp_path / "cloud.vtp"
    pyvista.PolyData(np.eye(3)).save(path)
    with pytest.raises(CorruptFileError, match="holds no surface"):
        read_surface(path, LIVER)


def test_glb_of_others_is_refused(tmp_path, surface):
    path = tmp_path / "teapot.glb"
    trimesh.creation.box().export(path)
    with pytest.raises(InputRefusedError, match="does not say where it lies"):
        read_surface(path, LIVER)


def test_a_scene_is_not_one_surface(tmp_path, surface):
    path = tmp_path / "scene.glb"
    liver = Surface(points=surface.points, triangles=surface.triangles, segment=LIVER)
    write_scene([surface, liver], path)
    with pytest.raises(InputRefusedError, match="one surface is asked for"):
        read_surface(path, LIVER)


def test_paths_that_cannot_be(tmp_path, surface):
    with pytest.raises(UsageError, match=r"\.stl, \.vtp, \.ply, \.glb, got 'a\.obj'"):
        write_surface(surface, tmp_path / "a.obj")
    with pytest.raises(UsageError, match=r"got 'a\.obj'"):
        read_surface(tmp_path / "a.obj", LIVER)
    with pytest.raises(NothingToDoError, match="not there"):
        read_surface(tmp_path / "a.stl", LIVER)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_surface(surface, tmp_path / "file" / "a.stl")
