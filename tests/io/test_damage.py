"""Whatever bytes a file holds, reading ends in an answer or in one line that refuses it."""

import json
import random

import highdicom as hd
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from surgplan.errors import SurgplanError
from surgplan.io import Case, read_itk, read_label_map, read_nifti, write_label_map, write_volume
from surgplan.volume import ANATOMY, Geometry, LabelMap, Volume

ROUNDS = 40
GRID = Geometry.from_spacing(shape=(4, 5, 6), spacing_mm=(2.5, 0.8, 0.7))


def a_scan(path):
    array = np.arange(-1000, -880, dtype=np.int16).reshape(GRID.shape)
    write_volume(Volume(array=array, geometry=GRID, modality="CT"), path)


def labels(path):
    array = np.arange(120, dtype=np.uint8).reshape(GRID.shape) % 17
    write_label_map(LabelMap(array=array, geometry=GRID, segments=ANATOMY), path)


def segmentation(path):
    sources = []
    for k in range(3):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"1.2.{k}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2", "1.3", "1.4"
        ds.PatientID = ds.PatientName = ds.PatientBirthDate = ds.PatientSex = ds.StudyID = ""
        ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ""
        ds.Modality = "CT"
        ds.Rows, ds.Columns, ds.PixelSpacing, ds.SliceThickness = 5, 6, [0.8, 0.7], 2.5
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [0, 0, 2.5 * k]
        sources.append(ds)
    described = hd.seg.SegmentDescription(
        1, "liver", codes.SCT.AnatomicalStructure, codes.SCT.Liver, "MANUAL"
    )
    hd.seg.Segmentation(
        sources, np.ones((3, 5, 6), np.uint8), "BINARY", [described], "1.5", 1, "1.6", 1, "t", "t",
        "1", "1",
    ).save_as(path)  # fmt: skip


def damaged(raw, chance):
    """The bytes with a few of them flipped, replaced or left out, mostly in the header."""
    content = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(min(len(content), 3000))
        how = chance.randrange(3)
        if how == 0:
            content[place] ^= 1 << chance.randrange(8)
        elif how == 1:
            content[place] = chance.choice(b"\x00\xff -09\x7f")
        else:
            del content[place : place + chance.randrange(1, 6)]
    return bytes(content)


def answers_or_refuses(read, path, raw):
    """Read damaged copies; any exception but ours, or one of several lines, fails the test."""
    chance = random.Random(5)
    refusals = []
    for _ in range(ROUNDS):
        path.write_bytes(damaged(raw, chance))
        try:
            read(path)
        except SurgplanError as e:
            refusals.append(str(e))
    assert not [r for r in refusals if "\n" in r]
    assert len(refusals) > ROUNDS / 10, "the damage must reach something that is checked"


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("a.nii", a_scan, read_nifti),
        ("a.nrrd", a_scan, read_itk),
        ("a.mha", a_scan, read_itk),
        ("b.nii", labels, read_label_map),
        ("b.seg.nrrd", labels, read_label_map),
        ("b.dcm", segmentation, read_label_map),
    ],
)
def test_damaged_images(tmp_path, name, write, read):
    write(tmp_path / name)
    answers_or_refuses(read, tmp_path / name, (tmp_path / name).read_bytes())


def test_damaged_tables_of_names(tmp_path):
    labels(tmp_path / "a.nii")
    names = {s.name: {"label": s.label, "structure": s.name} for s in ANATOMY}
    (tmp_path / "n.json").write_text(json.dumps(names))
    answers_or_refuses(
        lambda path: read_label_map(tmp_path / "a.nii", label_names=path),
        tmp_path / "n.json",
        (tmp_path / "n.json").read_bytes(),
    )


def test_damaged_manifests(tmp_path):
    a_scan(tmp_path / "scan.nii")
    case = Case.create(tmp_path / "case", inputs={"scan": tmp_path / "scan.nii"})
    with case.stage("image", settings={"margin_mm": 10.0}, needs=["case.json"]) as stage:
        stage.path("image.nii.gz").write_text("")
    path = case.folder / "case.json"
    answers_or_refuses(lambda _: Case.open(case.folder), path, path.read_bytes())
