"""Painted voxels go back to the grid of the scan; nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_surgplan._edits import edited_labels, own_voxels
from napari_surgplan._layers import labels_layer, to_world, upright
from napari_surgplan._rows import middle_mm, rows_of
from napari_surgplan._state import State
from napari_surgplan._writer import write_labels, write_mesh
from surgplan.errors import LabelError, UsageError
from surgplan.io import read_label_map, read_surface
from surgplan.mesh import reconstruct
from surgplan.volume import LIVER, LIVER_TUMOUR, reorient


@pytest.mark.parametrize("codes", ["SPL", "IAR", "LSP"])
def test_a_brush_on_a_turned_grid_is_exact(body, codes) -> None:
    label_map = reorient(body[1], codes)
    painted = np.array(labels_layer(label_map)[0])
    painted[10, 12, 14] = LIVER_TUMOUR.label
    edited = edited_labels(painted, label_map)
    changed = np.argwhere(edited.array != label_map.array)
    assert len(changed) == 1
    world = label_map.geometry.to_lps(changed[0])
    np.testing.assert_allclose(world, upright(label_map).geometry.to_lps((10, 12, 14)))


def test_on_an_oblique_grid_only_what_was_painted_changes(oblique) -> None:
    label_map = oblique[1]
    shown = upright(label_map)
    assert shown.geometry.shape != label_map.geometry.shape
    points = shown.geometry.to_lps(np.indices(shown.geometry.shape).reshape(3, -1).T)
    ball = (np.linalg.norm(points - (10, 0, 0), axis=1) < 14).reshape(shown.geometry.shape)
    painted = np.where(ball, LIVER_TUMOUR.label, shown.array).astype(np.uint8)
    edited = edited_labels(painted, label_map)
    own = label_map.geometry.to_lps(np.indices(label_map.geometry.shape).reshape(3, -1).T)
    far = (np.linalg.norm(own - (10, 0, 0), axis=1) > 14 + 5).reshape(label_map.geometry.shape)
    near = (np.linalg.norm(own - (10, 0, 0), axis=1) < 14 - 5).reshape(label_map.geometry.shape)
    assert (edited.array[far] == label_map.array[far]).all()
    assert (edited.array[near] == LIVER_TUMOUR.label).all()
    assert near.sum() > 10


def test_nothing_painted_is_nothing_changed(oblique) -> None:
    assert edited_labels(labels_layer(oblique[1])[0], oblique[1]) is oblique[1]


def test_strokes_come_back_where_they_were_drawn(oblique) -> None:
    marks = np.zeros_like(upright(oblique[1]).array)
    marks[12:15, 20:24, 20:24] = 2
    own = own_voxels(marks, oblique[1])
    drawn = upright(oblique[1]).geometry.to_lps((13, 21.5, 21.5))
    found = oblique[1].geometry.to_lps(np.argwhere(own == 2).mean(axis=0))
    assert np.linalg.norm(found - drawn) < 3


def test_rows_say_what_the_engine_says(body) -> None:
    volume, label_map = body
    sure = np.where(label_map.array == LIVER_TUMOUR.label, 0.6, 0.9).astype(np.float32)
    rows = rows_of(State(volume=volume, label_map=label_map, confidence=sure))
    by_label = {row.segment.label: row for row in rows}
    voxel_ml = label_map.geometry.voxel_volume_mm3 / 1000
    assert by_label[LIVER.label].volume_ml == label_map.whole_liver().sum() * voxel_ml
    tumour = by_label[LIVER_TUMOUR.label]
    assert tumour.volume_ml == pytest.approx(label_map.volume_ml(LIVER_TUMOUR), rel=1e-12)
    assert tumour.confidence == pytest.approx(0.6)
    assert np.linalg.norm(middle_mm(label_map, LIVER_TUMOUR) - (-35, 10, 5)) < 6


def test_layers_are_written_on_their_own_grid(oblique, tmp_path) -> None:
    data, settings, _ = labels_layer(oblique[1])
    (path,) = write_labels(str(tmp_path / "a.seg.nrrd"), data, settings)
    assert read_label_map(path) == oblique[1]


def test_foreign_labels_are_written_straight_or_refused(tmp_path) -> None:
    data = np.zeros((3, 4, 5), dtype=np.int64)
    data[1, 2, 3] = 2
    meta = {"scale": (3.0, 2.0, 1.0), "translate": (30.0, 20.0, 10.0), "rotate": np.eye(3)}
    (path,) = write_labels(str(tmp_path / "a.nii.gz"), data, meta)
    back = read_label_map(path)
    np.testing.assert_allclose(
        back.geometry.to_lps(np.argwhere(back.array)[0]), (13.0, 24.0, 33.0), atol=1e-5
    )
    with pytest.raises(LabelError, match="segment"):
        write_labels(str(tmp_path / "b.nii.gz"), data * 50, meta)
    turned = meta | {"rotate": np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])}
    with pytest.raises(UsageError, match="lie straight"):
        write_labels(str(tmp_path / "c.nii.gz"), data, turned)


def test_a_surface_layer_is_written_in_patient_millimetres(body, tmp_path) -> None:
    surface = reconstruct(body[1], LIVER_TUMOUR)
    data = (to_world(surface.points), surface.triangles)
    (path,) = write_mesh(str(tmp_path / "a.stl"), data, {})
    assert read_surface(path, LIVER_TUMOUR).volume_ml == pytest.approx(surface.volume_ml, rel=1e-4)
