"""The program as a user meets it: words in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surgplan
from surgplan.cli import main
from surgplan.io import write_label_map, write_volume
from surgplan.volume import (
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
    label_map_from_masks,
)


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out + self.err
        answer = json.loads(lines[0])
        assert answer["schema"].startswith("surgplan.")
        assert answer["schema_version"] == 1
        assert answer["notice"] == surgplan.NOT_A_MEDICAL_DEVICE
        return dict(answer)

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("surgplan: error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback (most recent" not in self.err + self.out
        assert self.err.splitlines()[-1] == lines[0]
        return lines[0].removeprefix("surgplan: error: ")


Surgplan = Callable[..., Told]


@pytest.fixture
def surgplan_cli(capsys: pytest.CaptureFixture[str]) -> Surgplan:
    def run(*words: str | Path | float) -> Told:
        capsys.readouterr()
        code = main([str(w) for w in words])
        out, err = capsys.readouterr()
        return Told(code, out, err)

    return run


SHAPE = (16, 24, 28)
GEOMETRY = Geometry.from_spacing(shape=SHAPE, spacing_mm=(8, 6, 6), origin_mm=(-120, -70, -60))


def _body() -> tuple[Volume, LabelMap]:
    """A liver of known shape with two tumours and two vessels."""
    x, y, z = (GEOMETRY.to_lps(np.moveaxis(np.indices(SHAPE), 0, -1))[..., a] for a in range(3))
    liver = ((x + 40) / 66) ** 2 + (y / 48) ** 2 + (z / 44) ** 2 < 1
    tumour = (x + 72) ** 2 + y**2 + z**2 < 14**2
    tumour |= (x + 24) ** 2 + (y + 20) ** 2 + (z - 16) ** 2 < 10**2
    portal = liver & (abs(y) < 4) & (abs(z) < 5) & (x > -50)
    hepatic = liver & (abs(y - 18) < 4) & (abs(x + 40) < 4) & (z > -10)
    label_map = label_map_from_masks(
        [(LIVER, liver), (PORTAL_VEIN, portal), (HEPATIC_VEINS, hepatic), (LIVER_TUMOUR, tumour)],
        GEOMETRY,
    )
    array = np.where((x / 125) ** 2 + (y / 72) ** 2 < 1, -60, -1000).astype(np.int16)
    for segment, value in (
        (LIVER, 105),
        (PORTAL_VEIN, 180),
        (HEPATIC_VEINS, 160),
        (LIVER_TUMOUR, 55),
    ):
        array[label_map.mask(segment)] = value
    return Volume(array=array, geometry=GEOMETRY, modality="CT"), label_map


@pytest.fixture(scope="session")
def body() -> tuple[Volume, LabelMap]:
    return _body()


@pytest.fixture(scope="session")
def inputs(tmp_path_factory, body) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    volume, label_map = body
    write_volume(volume, folder / "scan.nii.gz")
    write_label_map(label_map, folder / "labels.nii.gz")
    return folder


@pytest.fixture(scope="session")
def made(inputs, tmp_path_factory) -> Path:
    """A finished case; tests that change it work on a copy."""
    case = tmp_path_factory.mktemp("made") / "case"
    assert (
        main(
            [
                str(w)
                for w in ["run", inputs / "scan.nii.gz", case, "--labels", inputs / "labels.nii.gz"]
            ]
        )
        == 0
    )
    return case


@pytest.fixture
def case(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "case", copy_function=shutil.copy2))
