"""A real window, driven by clicks, from the scan to the report; pictures are kept to look at."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import numpy as np
import pytest

from .conftest import needs_screen

pytest.importorskip("torch", reason="needs the ai extra")

import torch
from safetensors.torch import save_model

import surgplan
from napari_surgplan._anatomy_tab import AnatomyTab
from napari_surgplan._export_tab import ExportTab
from napari_surgplan._eyes import STRUCTURES
from napari_surgplan._open_tab import OpenTab
from napari_surgplan._preferences import Preferences
from surgplan.io import Case, read_label_map
from surgplan.segmentation import METADATA, WEIGHTS, NetworkSettings, build_network
from surgplan.volume import LIVER_TUMOUR

pytestmark = [pytest.mark.gui, pytest.mark.slow, needs_screen]


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A network that calls everything liver, and is nearly sure of it."""
    shape = {"classes": 5, "filters": (4, 8, 8)}
    network = build_network(NetworkSettings(**shape))
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if "output_block" in name:
                weights[:] = torch.tensor([0.0, 4.0, 0.0, 0.0, 0.0]) if weights.ndim == 1 else 0.0
    folder = tmp_path / "tiny"
    for path in (WEIGHTS, METADATA):
        (folder / path).parent.mkdir(parents=True)
    save_model(network, str(folder / WEIGHTS))
    own = {
        "name": "tiny",
        "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        "network": shape,
        "spacing_mm": 8.0,
        "window": [24, 24, 24],
        "temperature": 1.0,
    }
    text = json.dumps({"version": "1", "description": "of a test", "surgplan": own})
    (folder / METADATA).write_text(text)
    return folder


def test_from_the_scan_to_the_report(driver, files, body, bundle, tmp_path) -> None:
    dock, session = driver.dock, driver.dock.session
    driver.show(OpenTab)
    driver.picture("1-empty")
    driver.open(files / "scan.nii.gz")
    assert session.volume is not None
    assert dock.views.is_open

    tab = driver.show(AnatomyTab)
    _an_error_says_what_to_do(driver, tab)
    _cancelling_frees_the_window(driver, tab)
    dock.apply(Preferences(model=str(bundle)))
    driver.click(tab.find)
    driver.until(lambda: session.label_map is not None)
    driver.idle()
    assert session.confidence is not None
    assert session.label_map.mask(body[1].segments[0]).all()
    assert tab.list.rows[0].confidence > 0.8
    tab.unsure.setChecked(True)
    driver.picture("2-found")

    driver.open(files / "labels.seg.nrrd")
    assert session.label_map == body[1]
    _a_brush_changes_numbers_and_surfaces(driver)
    _everything_is_written(driver, tmp_path)


def _an_error_says_what_to_do(driver, tab) -> None:
    driver.dock.apply(Preferences(model="/nowhere"))
    driver.click(tab.find)
    driver.until(lambda: "no model '/nowhere'" in driver.dock.status.message.text())
    driver.idle()
    assert driver.dock.session.label_map is None


def _cancelling_frees_the_window(driver, tab) -> None:
    stopped = []

    def slow(_state, _preferences, progress):
        try:
            for step in range(1000):
                progress(step / 1000, "working")
                time.sleep(0.02)
        finally:
            stopped.append(True)

    with driver.monkeypatch.context() as patch:
        patch.setattr("napari_surgplan._anatomy_tab._found", slow)
        driver.click(tab.find)
        status = driver.dock.status
        driver.until(lambda: "left" in status.doing.text())
        driver.picture("3-working")
        began = time.monotonic()
        driver.click(status.cancel)
        driver.until(lambda: status.job is None and not status.bar.isVisible())
        driver.until(lambda: bool(stopped))
        assert time.monotonic() - began < 1
    assert "nothing was changed" in status.message.text()


def _a_brush_changes_numbers_and_surfaces(driver) -> None:
    tab, session = driver.show(AnatomyTab), driver.dock.session
    before = {r.segment.label: r.volume_ml for r in tab.list.rows}
    surface = next(s for s in session.surfaces if s.segment.label == LIVER_TUMOUR.label)
    tab.list.tree.setCurrentItem(tab.list.tree.topLevelItem(1))
    tab.list._clicked(tab.list.tree.topLevelItem(1))
    assert np.linalg.norm(session.focus_mm - (-35, 10, 5)) < 6
    assert tab.correct.segment == LIVER_TUMOUR
    driver.click(tab.correct.tools["brush"])
    layer = session.shown.layer(STRUCTURES)
    assert (layer.mode, layer.selected_label) == ("paint", LIVER_TUMOUR.label)
    layer.paint((13, 20, 30), LIVER_TUMOUR.label)
    driver.picture("4-painted")
    driver.click(tab.correct.update_button)
    driver.until(lambda: session.surfaces != () and surface not in session.surfaces)
    driver.idle()
    rows = {r.segment.label: r.volume_ml for r in tab.list.rows}
    assert rows[LIVER_TUMOUR.label] > before[LIVER_TUMOUR.label]
    assert rows[LIVER_TUMOUR.label] == pytest.approx(session.label_map.volume_ml(LIVER_TUMOUR))
    driver.click(tab.correct.undo)
    driver.idle()
    assert {r.segment.label: r.volume_ml for r in tab.list.rows} == before


def _everything_is_written(driver, tmp_path) -> None:
    tab, session = driver.show(ExportTab), driver.dock.session
    for text, target in (
        ("Structures…", tmp_path / "out.seg.nrrd"),
        ("3D scene (GLB)…", tmp_path / "out.glb"),
        ("Surfaces (STL)…", tmp_path / "stl"),
        ("Report…", tmp_path / "report"),
        ("Case folder…", tmp_path / "case"),
    ):
        driver.answer(target)
        driver.click(tab.buttons[text])
        driver.until(lambda path=target: f"{path}" in tab.written.text())
        driver.idle()
    driver.answer(tmp_path / "views.png")
    driver.click(tab.picture)
    driver.picture("5-exported")
    assert read_label_map(tmp_path / "out.seg.nrrd") == session.label_map
    assert len(list((tmp_path / "stl").glob("*.stl"))) == len(session.surfaces)
    assert surgplan.NOT_A_MEDICAL_DEVICE in (tmp_path / "report" / "report.html").read_text()
    assert Case.open(tmp_path / "case").read_labels() == session.label_map
    assert session.case.folder == tmp_path / "case"
    assert (tmp_path / "views.png").stat().st_size > 10_000
