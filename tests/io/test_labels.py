import json
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import (
    CorruptFileError,
    LabelError,
    NothingToDoError,
    UnsupportedImageError,
    UsageError,
)
from surgplan.io import read_couinaud, read_label_map, read_numbers, write_label_map, write_volume
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BONE,
    COUINAUD,
    HEPATIC_VEINS,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    Code,
    Geometry,
    LabelMap,
    Segment,
    Volume,
)

SHAPE = (4, 5, 6)
FORMATS = ["a.nii.gz", "a.nii", "a.seg.nrrd", "a.nrrd", "a.mha"]


@st.composite
def label_maps(draw):
    """Oblique, flipped, anisotropic; some segments empty."""
    rotation = Rotation.from_euler(
        "xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True
    )
    affine = np.eye(4)
    flips = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    affine[:3, :3] = rotation.as_matrix() * flips * draw(st.tuples(*[st.floats(0.3, 6)] * 3))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    segments = draw(st.lists(st.sampled_from(ANATOMY), min_size=1, unique=True))
    labels = [0, *[s.label for s in segments[: draw(st.integers(0, len(segments)))]]]
    array = np.random.default_rng(draw(st.integers(0, 99))).choice(labels, SHAPE)
    geometry = Geometry(shape=SHAPE, affine=affine)
    return LabelMap(array=array.astype(np.uint8), geometry=geometry, segments=tuple(segments))


def grid(shape=SHAPE):
    return Geometry.from_spacing(shape=shape, spacing_mm=(2.5, 0.8, 0.7), origin_mm=(-9, 8, 77))


def bare(path, array, *, names=None):
    """A NIfTI of numbers, as another program writes it; `array` is (slice, row, column)."""
    affine = np.diag([-0.7, -0.8, 2.5, 1.0])
    affine[:3, 3] = (9, -8, 77)
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    if names:
        rows = "".join(
            f'<Label Key="{k}" Red="0"><![CDATA[{n}]]></Label>' for k, n in names.items()
        )
        xml = f"<CaretExtension><LabelTable>{rows}</LabelTable></CaretExtension>".encode()
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, xml))
    nib.save(image, path)
    return path


def numbers(*labels):
    """An array with these numbers and no others, each in its own place."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    for place, label in enumerate(labels):
        array.ravel()[3 + 2 * place : 5 + 2 * place] = label
    return array


def table(tmp_path, content):
    (tmp_path / "names.json").write_text(json.dumps(content))
    return tmp_path / "names.json"


@pytest.mark.parametrize("name", FORMATS)
@given(label_map=label_maps())
def test_what_is_read_is_what_was_written(tmp_path_factory, name, label_map):
    path = tmp_path_factory.mktemp("labels") / name
    write_label_map(label_map, path)
    read = read_label_map(path)
    assert read.segments == label_map.segments, "empty ones too"
    assert np.array_equal(read.array, label_map.array)
    assert read.geometry.matches(label_map.geometry, atol_mm=1e-9)
    assert read.fingerprint() == label_map.fingerprint()


@given(label_map=label_maps())
def test_simpleitk_reads_our_labels_on_the_same_grid(tmp_path_factory, label_map):
    folder = tmp_path_factory.mktemp("labels")
    for name in FORMATS:
        write_label_map(label_map, folder / name)
        image = sitk.ReadImage(str(folder / name))
        assert image.GetPixelID() == sitk.sitkUInt8
        assert np.array_equal(sitk.GetArrayFromImage(image), label_map.array)
        corner = image.TransformIndexToPhysicalPoint((5, 4, 3))
        assert np.allclose(corner, label_map.geometry.to_lps((3, 4, 5)), atol=0.02)


@pytest.mark.parametrize("name", FORMATS)
def test_segments_of_couinaud_survive(tmp_path, name):
    array = numbers(*range(1, 9))
    couinaud = LabelMap(array=array, geometry=grid(), segments=COUINAUD)
    write_label_map(couinaud, tmp_path / name)
    assert read_couinaud(tmp_path / name).fingerprint() == couinaud.fingerprint()
    assert read_label_map(tmp_path / name).segments == COUINAUD


def test_a_code_of_somebody_else_survives_in_our_own_files(tmp_path):
    own = Segment(
        label=40, name="graft", code=Code(value="24486003", meaning="Graft"), colour=(1, 2, 3)
    )
    label_map = LabelMap(array=numbers(40), geometry=grid(), segments=(own,))
    write_label_map(label_map, tmp_path / "a.nii.gz")
    assert read_label_map(tmp_path / "a.nii.gz") == label_map


# bare numbers


def test_bare_numbers_are_ours_and_name_only_what_is_there(tmp_path):
    array = numbers(1, 2, 16)
    read = read_label_map(bare(tmp_path / "a.nii.gz", array))
    assert read.segments == (LIVER, LIVER_TUMOUR, LIVER_CYST)
    assert np.array_equal(read.array, array)
    assert read.geometry.matches(grid())


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_numbers_may_be_stored_in_any_type(tmp_path, dtype):
    read = read_label_map(bare(tmp_path / "a.nii", numbers(1, 9).astype(dtype)))
    assert np.array_equal(read.array, numbers(1, 9))


def test_numbers_that_are_not_ours_are_listed(tmp_path):
    with pytest.raises(LabelError, match=r"1 to 16: .* voxels with 17, 200 .*--label-names"):
        read_label_map(bare(tmp_path / "a.nii", numbers(1, 17, 200)))


def test_bare_numbers_of_couinaud_are_one_to_eight(tmp_path):
    read = read_couinaud(bare(tmp_path / "a.nii", numbers(1, 8)))
    assert read.segments == (COUINAUD[0], COUINAUD[7])
    with pytest.raises(LabelError, match=r"1 to 8: .* voxels with 9"):
        read_couinaud(bare(tmp_path / "b.nii", numbers(9)))


def test_anatomy_is_no_map_of_couinaud(tmp_path):
    label_map = LabelMap(array=numbers(1), geometry=grid(), segments=(LIVER,))
    write_label_map(label_map, tmp_path / "a.nii")
    with pytest.raises(LabelError, match=r"I to VIII, a.nii has liver parenchyma"):
        read_couinaud(tmp_path / "a.nii")


@pytest.mark.parametrize(("label", "name"), [(1, "liver parenchyma"), (5, "inferior vena cava")])
def test_organs_of_impossible_size_mean_that_the_numbers_are_not_ours(tmp_path, label, name):
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.full((40, 40, 40), label, np.uint8), np.diag([5, 5, 5, 1.0])), path)
    with pytest.raises(LabelError, match=rf"no {name} has 8000 ml"):
        read_label_map(path)
    said = table(tmp_path, {name: label})
    assert read_label_map(path, label_names=said).segments[0].name == name


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full(SHAPE, -1, np.int16), "labels lie in"),
        (np.full(SHAPE, 1.5, np.float32), "fractions"),
    ],
)
def test_what_is_no_label_map_is_refused(tmp_path, array, words):
    with pytest.raises(LabelError, match=words):
        read_label_map(bare(tmp_path / "a.nii", array))
    array = np.where(np.arange(120).reshape(SHAPE) % 2, np.nan, 1).astype(np.float32)
    with pytest.raises(LabelError, match="labels lie in"):
        read_label_map(bare(tmp_path / "b.nii", array))


# names


def test_a_table_maps_foreign_numbers_to_our_structures(tmp_path):
    array = numbers(1, 2, 3, 4, 5, 6, 7, 8)
    names = {
        "skin": 1,
        "bone": 2,
        "liver": 3,
        "artery": 4,
        "portalvein": 5,
        "venoussystem": {"label": 6, "structure": "hepatic veins"},
        "livertumor1": 7,
        "livertumor2": 8,
    }
    path = bare(tmp_path / "a.nii.gz", array)
    read = read_label_map(path, label_names=table(tmp_path, names))
    assert read.segments == (LIVER, LIVER_TUMOUR, PORTAL_VEIN, HEPATIC_VEINS, ARTERIES, BONE)
    expected = np.array([0, 0, 14, 1, 6, 3, 4, 2, 2])[array]
    assert np.array_equal(read.array, expected)


def test_an_unsure_name_is_refused_with_the_nearest_structures_and_the_way_out(tmp_path):
    names = table(tmp_path, {"liver": 3, "venoussystem": 6})
    with pytest.raises(LabelError) as refusal:
        read_label_map(bare(tmp_path / "a.nii", numbers(3, 6)), label_names=names)
    message = str(refusal.value)
    assert "'venoussystem' (nearest: hepatic veins or inferior vena cava)" in message
    example = message[message.index("{") : message.rindex("}") + 1]
    assert json.loads(example) == {"venoussystem": {"label": 6, "structure": "hepatic veins"}}
    assert "\n" not in message
    names = table(tmp_path, {"liver": 3, **json.loads(example)})
    read = read_label_map(tmp_path / "a.nii", label_names=names)
    assert read.segments == (LIVER, HEPATIC_VEINS)


def test_numbers_that_the_table_leaves_out_are_refused(tmp_path):
    path = bare(tmp_path / "a.nii", numbers(3, 6, 9))
    with pytest.raises(LabelError, match="voxels with 6, 9 that nothing names"):
        read_label_map(path, label_names=table(tmp_path, {"liver": 3}))


def test_a_list_of_numbers_is_joined(tmp_path):
    path = bare(tmp_path / "a.nii", numbers(3, 4))
    read = read_label_map(path, label_names=table(tmp_path, {"lungs": [3, 4]}))
    assert read.segments == (LUNGS,)
    assert np.array_equal(read.array > 0, numbers(3, 4) > 0)


def test_a_structure_that_is_none_of_ours_is_refused(tmp_path):
    path = bare(tmp_path / "a.nii", numbers(3))
    names = table(tmp_path, {"x": {"label": 3, "structure": "brain stem"}})
    with pytest.raises(LabelError, match="'brain stem', given for 'x', is no structure; ours are"):
        read_label_map(path, label_names=names)


def test_names_in_the_file_are_used_before_numbers(tmp_path):
    names = {1: "spleen", 2: "kidney_right", 5: "liver", 8: "adrenal_gland_left"}
    path = bare(tmp_path / "a.nii.gz", numbers(1, 2, 5, 8), names=names)
    read = read_label_map(path)
    assert read.segments == (LIVER, SPLEEN, RIGHT_KIDNEY)
    assert np.array_equal(read.mask(SPLEEN), numbers(1, 2, 5, 8) == 1)


def test_a_number_without_a_name_in_a_file_of_names_is_refused(tmp_path):
    path = bare(tmp_path / "a.nii", numbers(1, 2), names={1: "spleen"})
    with pytest.raises(LabelError, match="voxels with 2 that nothing names"):
        read_label_map(path)


def test_the_table_says_what_an_unclear_name_in_the_file_means(tmp_path):
    path = bare(tmp_path / "a.nii", numbers(1, 2), names={1: "liver", 2: "veins"})
    with pytest.raises(LabelError, match="'veins'"):
        read_label_map(path)
    names = table(tmp_path, {"veins": "inferior vena cava"})
    assert read_label_map(path, label_names=names).segments == (LIVER, VENA_CAVA)
    names = table(tmp_path, {"veins": None})
    assert read_label_map(path, label_names=names).segments == (LIVER,)
    names = table(tmp_path, {"arteries of the gut": "arteries"})
    with pytest.raises(LabelError, match="no part called 'arteries of the gut'"):
        read_label_map(path, label_names=names)


def test_numbers_can_be_had_as_they_stand(tmp_path):
    array, place = read_numbers(bare(tmp_path / "a.nii", numbers(3, 117), names={3: "liver"}))
    assert np.array_equal(array, numbers(3, 117))
    assert place.matches(grid())


# files


def test_other_files_are_refused(tmp_path):
    with pytest.raises(NothingToDoError):
        read_label_map(tmp_path / "a.nii")
    (tmp_path / "a.stl").write_text("solid")
    with pytest.raises(UsageError, match="labels are read from"):
        read_label_map(tmp_path / "a.stl")
    (tmp_path / "a.seg.nrrd").write_text("solid")
    with pytest.raises(CorruptFileError, match="is not NRRD"):
        read_label_map(tmp_path / "a.seg.nrrd")
    label_map = LabelMap(array=numbers(1), geometry=grid(), segments=(LIVER,))
    with pytest.raises(UsageError, match="labels are written as"):
        write_label_map(label_map, tmp_path / "a.png")
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(20))
    with pytest.raises((CorruptFileError, UnsupportedImageError)):
        read_label_map(tmp_path / "a.dcm")


def test_a_scan_is_no_label_map(tmp_path):
    array = np.arange(-1000, -880, dtype=np.int16).reshape(SHAPE)
    write_volume(Volume(array=array, geometry=grid(), modality="CT"), tmp_path / "a.nii.gz")
    with pytest.raises(LabelError, match="is it a scan"):
        read_label_map(tmp_path / "a.nii.gz")


def test_joining_many_parts_takes_little_memory(tmp_path):
    array = np.zeros((64, 128, 128), dtype=np.uint8)
    array[10:20] = 1
    array[20:30] = 2
    path = bare(tmp_path / "a.nii", array)
    tracemalloc.start()
    try:
        read_label_map(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * array.nbytes


def test_numbers_whose_tumour_lies_away_from_the_liver_are_somebody_elses(tmp_path):
    array = np.zeros((10, 20, 20), dtype=np.uint8)
    array[2:8, 2:10, 2:10] = LIVER.label
    array[2:8, 14:18, 14:18] = LIVER_TUMOUR.label  # a spine, say
    with pytest.raises(LabelError, match=r"100% of number 2 .*--label-names"):
        read_label_map(bare(tmp_path / "foreign.nii.gz", array))
    array[2:8, 8:15, 8:15] = LIVER_TUMOUR.label  # one piece with the other, at the liver
    assert read_label_map(bare(tmp_path / "ours.nii.gz", array)).volume_ml(LIVER_TUMOUR) > 0
