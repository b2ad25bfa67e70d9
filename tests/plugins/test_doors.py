"""The manifest, and what napari's own menus read and write through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest

import napari_surgplan
from napari_surgplan import _reader
from napari_surgplan._export import export_case, export_dicom_seg, export_report, export_scan
from napari_surgplan._preferences import Preferences, preferences_path
from napari_surgplan._session import Session
from surgplan.errors import NothingToDoError, OutputError
from surgplan.io import read_label_map, read_volume
from surgplan.volume import LIVER_TUMOUR

MANIFEST = Path(napari_surgplan.__file__).parent / "napari.yaml"


@pytest.fixture
def session(files):
    session = Session()
    session.open(files / "scan.nii.gz")
    yield session
    session.close()


def test_every_command_of_the_manifest_is_there() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert (MANIFEST.parent / "icon.svg").is_file()
    commands = {c.id for c in manifest.contributions.commands}
    used = [x.command for x in manifest.contributions.keybindings]
    used += [x.command for items in manifest.contributions.menus.values() for x in items
             if hasattr(x, "command")]  # fmt: skip
    assert set(used) <= commands


@pytest.mark.parametrize(
    ("name", "read"), [("a.nii.gz", True), ("a.MHA", True), ("a.seg.nrrd", True), ("a.tif", False)]
)
def test_only_files_of_ours_are_taken(name, read) -> None:
    assert (_reader.get_reader(name) is not None) == read
    assert _reader.get_reader([name, name]) is None


def test_folders_are_taken_when_they_hold_dicom_or_a_case(session, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").write_text("x" * 200)
    assert _reader.get_reader(str(tmp_path / "other")) is None
    folder = export_scan(session, tmp_path / "dicom", lambda f, w: None)
    assert _reader.get_reader(str(folder)) is not None
    session.autosave.wait()
    assert _reader.get_reader(str(session.case.folder)) is not None


def test_a_scan_comes_as_a_layer_that_the_dock_goes_on_with(files) -> None:
    ((data, settings, kind),) = _reader.read_layers(str(files / "scan.nii.gz"))
    assert kind == "image"
    loaded = settings["metadata"][_reader.LOADED]
    session = Session()
    session.take(loaded)
    np.testing.assert_array_equal(session.volume.array, data)
    session.close()


def test_structures_come_as_labels_that_remember_their_file(files) -> None:
    ((data, settings, kind),) = _reader.read_layers(str(files / "labels.seg.nrrd"))
    assert (kind, data.dtype) == ("labels", np.uint8)
    assert settings["metadata"][_reader.PATH].endswith("labels.seg.nrrd")


def test_an_oblique_scan_is_exported_on_its_own_grid(oblique, tmp_path) -> None:
    from surgplan.io import write_volume

    write_volume(oblique[0], tmp_path / "oblique.nii.gz")
    session = Session()
    session.open(tmp_path / "oblique.nii.gz")
    for target in (tmp_path / "out.nrrd", tmp_path / "dicom"):
        back = read_volume(export_scan(session, target, lambda f, w: None), modality="CT")
        assert back.geometry.matches(oblique[0].geometry, atol_mm=1e-3)
        np.testing.assert_array_equal(back.array, oblique[0].array)
    session.close()


def test_what_is_not_there_is_not_exported(session, tmp_path) -> None:
    with pytest.raises(NothingToDoError, match="tab Anatomy"):
        export_report(session, tmp_path / "report", lambda f, w: None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not empty"):
        export_case(session, tmp_path / "full", lambda f, w: None)
    assert (tmp_path / "full" / "precious.txt").read_text() == "keep me"


def test_preferences_come_back_and_nonsense_does_not() -> None:
    Preferences(threads=3, crosshair="#ff0000").write()
    assert Preferences.read() == Preferences(threads=3, crosshair="#ff0000")
    preferences_path().write_text('{"threads": "many", "device": "cuda", "else": 1}')
    assert Preferences.read() == Preferences(device="cuda")
    preferences_path().write_text("{")
    assert Preferences.read() == Preferences()


def test_structures_leave_as_dicom_segmentation_beside_their_images(session, body, tmp_path):
    session.set_labels(body[1], surfaces=())
    folder = export_dicom_seg(session, tmp_path / "first", lambda f, w: None)
    session.open(folder / "scan")
    session.set_labels(replace(body[1], geometry=session.volume.geometry), surfaces=())
    again = export_dicom_seg(session, tmp_path / "second", lambda f, w: None)
    assert [p.name for p in again.iterdir()] == ["structures.dcm"]  # refers to the images opened
    middle = body[1].geometry.to_lps(np.argwhere(body[1].mask(LIVER_TUMOUR)).mean(axis=0))
    for path in (folder, again):
        found = read_label_map(path / "structures.dcm")
        assert found.volume_ml(LIVER_TUMOUR) == pytest.approx(body[1].volume_ml(LIVER_TUMOUR))
        here = found.geometry.to_lps(np.argwhere(found.mask(LIVER_TUMOUR)).mean(axis=0))
        assert here == pytest.approx(middle, abs=0.01)
