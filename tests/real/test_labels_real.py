import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from surgplan.errors import LabelError, UnsupportedImageError
from surgplan.io import read_couinaud, read_label_map, read_nifti, write_label_map
from surgplan.volume import (
    ARTERIES,
    BONE,
    COUINAUD,
    HEPATIC_VEINS,
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    SPLEEN,
    VENA_CAVA,
)

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"real cases are not at {CASES}"),
]

IRCADB_17 = {
    "skin": 1,
    "bone": 2,
    "liver": 3,
    "artery": 4,
    "portalvein": 5,
    "venoussystem": {"label": 6, "structure": "hepatic veins"},
    "livertumor1": 7,
    "livertumor2": 8,
}


def odd(name):
    return CASES / "dicom-odd" / name


@pytest.mark.parametrize("syntax", ["", "-deflate", "-expb", "-j2k", "-rle"])
def test_a_liver_is_the_same_in_every_transfer_syntax_and_as_nrrd(syntax):
    read = read_label_map(odd(f"liver-seg{syntax}.dcm"))
    reference = sitk.ReadImage(str(odd("liver_seg.nrrd")))
    assert read.segments == (LIVER,)
    assert np.array_equal(read.array > 0, sitk.GetArrayFromImage(reference) > 0)
    corner = reference.TransformIndexToPhysicalPoint((511, 511, 2))
    assert np.allclose(read.geometry.to_lps((2, 511, 511)), corner, atol=1e-4)


def test_frames_that_do_not_fill_whole_bytes_are_the_same_liver():
    whole, cropped = (read_label_map(odd(f"liver-seg{n}.dcm")) for n in ("", "-nonbyte_aligned"))
    assert cropped.array.shape == (3, 510, 510)
    assert np.array_equal(cropped.array, whole.array[:, :510, :510])


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_sparse_label_maps_have_their_empty_frames_again(name):
    read = read_label_map(odd(name))
    assert read.array.shape == (3, 38, 24)
    assert read.segments == (LIVER,)
    assert read.counts()[1] == 630
    assert (read.array.any(axis=(1, 2)) == [True, False, True]).all()


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("overlapping-seg.dcm", LabelError, "'GREEN'"),
        ("seg_image_ct_binary_fractional.dcm", LabelError, "fractional"),
        ("seg_image_ct_true_fractional.dcm", LabelError, "fractional"),
        ("ct_image.dcm", UnsupportedImageError, "no segmentation"),
        ("enhanced-ct.dcm", UnsupportedImageError, "no segmentation"),
    ],
)
def test_objects_that_would_be_guesses_are_refused(name, error, words):
    with pytest.raises(error, match=words):
        read_label_map(odd(name))


def test_overlapping_structures_are_refused(tmp_path):
    names = {"GREEN": "liver", "ORANGE": "spleen", "PURPLE": "stomach", "LIGHT_BLUE": "pancreas"}
    (tmp_path / "n.json").write_text(json.dumps({**names, "DARK_BLUE": "portal vein"}))
    with pytest.raises(LabelError, match=r"overlap|not sure"):
        read_label_map(odd("overlapping-seg.dcm"), label_names=tmp_path / "n.json")


@pytest.mark.parametrize(
    "name", ["seg_image_ct_binary.dcm", "seg_image_ct_binary_single_frame.dcm"]
)
def test_coded_bone_is_bone(name):
    assert read_label_map(odd(name)).segments == (BONE,)


def test_ircadb_17_is_mapped_by_names(tmp_path):
    path = CASES / "ircadb-17" / "labels.nii.gz"
    (tmp_path / "n.json").write_text(json.dumps(IRCADB_17))
    read = read_label_map(path, label_names=tmp_path / "n.json")
    assert read.segments == (LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS, ARTERIES, BONE)
    assert read.volume_ml(LIVER_TUMOUR) == pytest.approx(86 + 79, abs=1)
    for name in ("a.nii.gz", "a.seg.nrrd"):
        write_label_map(read, tmp_path / name)
        assert read_label_map(tmp_path / name).fingerprint() == read.fingerprint()


def test_ircadb_without_names_is_refused_not_misread(tmp_path):
    with pytest.raises(LabelError, match="no liver parenchyma has 11620 ml"):
        read_label_map(CASES / "ircadb-17" / "labels.nii.gz")
    with pytest.raises(LabelError, match="voxels with 17, 18, 19"):
        read_label_map(CASES / "ircadb-01" / "labels.nii.gz")
    unsure = {**IRCADB_17, "venoussystem": 6}
    (tmp_path / "n.json").write_text(json.dumps(unsure))
    with pytest.raises(LabelError, match=r"'venoussystem' \(nearest: hepatic veins or inferior"):
        read_label_map(CASES / "ircadb-17" / "labels.nii.gz", label_names=tmp_path / "n.json")


@pytest.mark.parametrize("case", ["totalseg-ct", "totalseg-mr", "totalseg-dicom"])
def test_files_of_totalsegmentator_need_no_table(case):
    path = CASES / case / "labels.nii.gz"
    read = read_label_map(path)
    raw = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    for segment, theirs in ((LIVER, 5), (SPLEEN, 1)):
        assert np.array_equal(read.mask(segment), raw == theirs)
    own_cava = 24 if case == "totalseg-mr" else 63
    assert np.array_equal(read.mask(VENA_CAVA), raw == own_cava)


@pytest.mark.parametrize("case", ["ircadb-17", "ircadb-01", "lits-100"])
def test_couinaud_maps_cover_the_liver(case):
    read = read_couinaud(CASES / case / "couinaud.nii.gz")
    assert read.segments == COUINAUD
    assert 1000 < read.volume_ml(*COUINAUD) < 3000


def test_labels_of_ircadb_lie_on_the_grid_of_their_scan(tmp_path):
    scan = read_nifti(CASES / "ircadb-01" / "ct.nii.gz")
    couinaud = read_couinaud(CASES / "ircadb-01" / "couinaud.nii.gz")
    assert scan.modality == "CT"
    assert scan.geometry.matches(couinaud.geometry)
    assert 20 < float(np.median(scan.array[couinaud.array > 0])) < 160, "liver in contrast"
