import gzip
import random
import struct
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import (
    CorruptFileError,
    GeometryError,
    InputRefusedError,
    IntensityError,
    NothingToDoError,
    ResourceLimitError,
    UnsafeFileError,
    UnsupportedImageError,
)
from surgplan.io import _guard, read_nifti, read_scalar_map, write_scalar_map, write_volume
from surgplan.volume import Geometry, Volume

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def scan(shape=(4, 5, 6), affine=None, *, modality="CT", seed=0, dtype=np.int16):
    """Values that no flip or swap of axes leaves as they are."""
    values = np.random.default_rng(seed).normal(-100, 300, shape)
    values.ravel()[0] = -1000
    if modality == "MR":
        values = np.abs(values) / 4
    grid = Geometry.from_spacing(shape=shape, spacing_mm=(2.5, 0.8, 0.7), origin_mm=(-9, 8, 77))
    if affine is not None:
        grid = Geometry(shape=shape, affine=affine)
    return Volume(array=values.astype(dtype), geometry=grid, modality=modality)


@st.composite
def affines(draw, shear=0.0):
    """Oblique, flipped, anisotropic, of either hand."""
    rotation = Rotation.from_euler(
        "xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True
    )
    spacing = draw(st.tuples(*[st.floats(0.3, 6)] * 3))
    flips = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    order = draw(st.permutations(range(3)))
    affine = np.eye(4)
    affine[:3, :3] = (rotation.as_matrix() * flips)[:, order] * spacing
    affine[:3, 0] += shear * affine[:3, 1]
    affine[:3, 3] = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    return affine


def write_raw(path, array, affine=None, *, sform=1, qform=1, unit=2, **fields):
    """A NIfTI file by nibabel, its header bent where asked."""
    image = nib.Nifti1Image(array, np.diag([0.7, 0.8, 2.5, 1.0]) if affine is None else affine)
    image.header.set_sform(image.affine, code=sform)
    image.header.set_qform(image.affine, code=qform)
    image.header["xyzt_units"] = unit
    for key, value in fields.items():
        image.header[key] = value
    nib.save(image, path)
    return path


def hounsfield(shape=(6, 5, 4), dtype=np.int16):
    return (np.arange(np.prod(shape)).reshape(shape) * 12 - 1000).astype(dtype)


@given(affine=affines(), name=st.sampled_from(["a.nii", "a.nii.gz"]))
def test_what_is_read_is_what_was_written(tmp_path_factory, affine, name):
    path = tmp_path_factory.mktemp("nifti") / name
    written = scan(affine=affine)
    write_volume(written, path)
    read = read_nifti(path)
    assert read.geometry == written.geometry, "in full precision, though NIfTI has single"
    assert np.array_equal(read.array, written.array)
    assert read.array.dtype == written.array.dtype
    assert read.fingerprint() == written.fingerprint()


@given(affine=affines())
def test_simpleitk_reads_our_nifti_on_the_same_grid(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    written = scan(affine=affine)
    write_volume(written, path)
    image = sitk.ReadImage(str(path))
    for index in [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5), (3, 4, 5)]:
        by_itk = image.TransformIndexToPhysicalPoint(index[::-1])
        assert np.allclose(by_itk, written.geometry.to_lps(index), atol=0.02)
        assert image[index[::-1]] == written.array[index]


@given(affine=affines())
def test_nibabel_files_without_our_note_are_placed_by_their_own_affine(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "a.nii"
    array = hounsfield()
    write_raw(path, array, affine, qform=0)
    read = read_nifti(path)
    ras = np.array([*(RAS[:3, :3] @ read.geometry.to_lps((3, 1, 2)))])
    assert np.allclose(ras, (affine @ (2, 1, 3, 1))[:3], atol=1e-3)
    assert read.array[3, 1, 2] == array[2, 1, 3]


@given(affine=affines(shear=0.3))
def test_sheared_grids_are_kept_as_they_are(tmp_path_factory, affine):
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    written = scan(affine=affine)
    assert not written.geometry.is_orthogonal
    write_volume(written, path)
    assert read_nifti(path).geometry == written.geometry
    assert int(nib.load(path).header["qform_code"]) == 0, "a quaternion cannot say shear"


def test_our_files_carry_both_codes_millimetres_and_the_notice(tmp_path):
    write_volume(scan(), tmp_path / "a.nii.gz")
    header = nib.load(tmp_path / "a.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert NOT_A_MEDICAL_DEVICE.encode() in bytes(header["descrip"])


def test_the_same_scan_is_the_same_bytes(tmp_path):
    write_volume(scan(), tmp_path / "a.nii.gz")
    write_volume(scan(), tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_modality_and_frame_of_reference_survive(tmp_path):
    grid = scan().geometry
    mr = Volume(
        array=scan(modality="MR").array, geometry=grid, modality="MR", frame_of_reference="1.2.3"
    )
    write_volume(mr, tmp_path / "a.nii.gz")
    read = read_nifti(tmp_path / "a.nii.gz")
    assert (read.modality, read.frame_of_reference) == ("MR", "1.2.3")
    assert read.identity == "a.nii.gz"


def test_a_synthetic_scan_says_so_in_its_header_and_when_read_again(tmp_path):
    made = Volume(
        array=scan().array, geometry=scan().geometry, modality="CT", identity="synthetic phantom 3"
    )
    assert made.is_synthetic
    assert not scan().is_synthetic
    write_volume(made, tmp_path / "a.nii.gz")
    assert b"synthetic CT" in bytes(nib.load(tmp_path / "a.nii.gz").header["descrip"])
    assert read_nifti(tmp_path / "a.nii.gz").identity == "synthetic phantom 3"


def test_a_note_for_another_grid_does_not_move_the_scan(tmp_path):
    write_volume(scan(), tmp_path / "a.nii")
    image = nib.load(tmp_path / "a.nii")
    moved = image.affine + np.array([[0, 0, 0, 5.0]] + [[0.0] * 4] * 3)
    image.header.set_sform(moved, code=1)
    image.header.set_qform(moved, code=1)
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), None, image.header), tmp_path / "b.nii")
    shift = read_nifti(tmp_path / "b.nii").geometry.affine - scan().geometry.affine
    assert np.allclose(shift[:3, 3], (-5, 0, 0), atol=1e-4), "5 mm right in RAS is -5 in LPS"


# values


def test_scaling_is_applied_exactly(tmp_path):
    stored = np.arange(120, dtype=np.uint16).reshape(6, 5, 4)
    path = write_raw(tmp_path / "a.nii", stored, scl_slope=1, scl_inter=0)
    patch(path, 112, struct.pack("<ff", 0.5, -1024.0))
    read = read_nifti(path)
    assert read.array.dtype == np.float32
    assert np.array_equal(read.array, stored.T * 0.5 - 1024.0)


def test_whole_scaled_values_that_fit_become_int16(tmp_path):
    stored = np.arange(120, dtype=np.float64).reshape(6, 5, 4)
    path = write_raw(tmp_path / "a.nii", stored)
    patch(path, 112, struct.pack("<ff", 2.0, -1024.0))
    read = read_nifti(path)
    assert read.array.dtype == np.int16
    assert np.array_equal(read.array, stored.T * 2 - 1024)


@pytest.mark.parametrize("slope", [0.0, float("nan")])
def test_a_slope_of_zero_means_no_scaling(tmp_path, slope):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 112, struct.pack("<ff", slope, 0.0 if slope == 0 else slope))
    assert np.array_equal(read_nifti(path).array, hounsfield().T)


def test_numbers_beyond_int16_stay_exact_as_float32(tmp_path):
    array = hounsfield(dtype=np.int32)
    array[0, 0, 0] = 40_000
    read = read_nifti(write_raw(tmp_path / "a.nii", array))
    assert read.array.dtype == np.float32
    assert read.array[0, 0, 0] == 40_000


def test_big_endian_files_read_the_same(tmp_path):
    image = nib.Nifti1Image(hounsfield(), np.diag([0.7, 0.8, 2.5, 1.0]))
    image.header.set_sform(image.affine, code=1)
    swapped = nib.Nifti1Image(hounsfield(), image.affine, image.header.as_byteswapped(">"))
    nib.save(swapped, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == b"\0\0\x01\x5c"
    assert np.array_equal(read_nifti(tmp_path / "a.nii").array, hounsfield().T)


def test_nifti_2_reads_the_same(tmp_path):
    image = nib.Nifti2Image(hounsfield(), np.diag([0.7, 0.8, 2.5, 1.0]))
    image.header.set_sform(image.affine, code=1)
    nib.save(image, tmp_path / "a.nii")
    read = read_nifti(tmp_path / "a.nii")
    assert np.array_equal(read.array, hounsfield().T)
    assert read.geometry.spacing_mm == pytest.approx((2.5, 0.8, 0.7))


def test_trailing_axes_of_one_are_no_reason_to_refuse(tmp_path):
    array = hounsfield()[..., None, None]
    assert read_nifti(write_raw(tmp_path / "a.nii", array)).array.shape == (4, 5, 6)


# places


def patch(path: Path, offset: int, content: bytes) -> Path:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + len(content)] = content
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(("unit", "scale"), [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001)])
def test_lengths_become_millimetres_whatever_their_unit(tmp_path, unit, scale):
    wanted = np.diag([0.7, 0.8, 2.5, 1.0])
    wanted[:3, 3] = (10, -20, 30)
    given_affine = wanted.copy()
    given_affine[:3] /= scale
    path = write_raw(tmp_path / "a.nii", hounsfield(), given_affine, unit=unit)
    read = read_nifti(path).geometry
    assert read.spacing_mm == pytest.approx((2.5, 0.8, 0.7), rel=1e-5)
    assert read.to_lps((0, 0, 0)) == pytest.approx((-10, 20, 30), rel=1e-5)


def test_a_file_that_does_not_say_where_it_lies_is_refused(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 252, struct.pack("<2h", 0, 0))  # qform_code, sform_code
    with pytest.raises(GeometryError, match=r"does not say where it lies .* set its sform"):
        read_nifti(path)


def test_two_places_that_differ_are_refused(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 268, struct.pack("<f", 3.0))  # qoffset_x
    with pytest.raises(GeometryError, match=r"sform and qform differ .* delete the wrong one"):
        read_nifti(path)


def test_a_mirrored_qform_is_seen_as_another_place(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 76, struct.pack("<f", -1.0))  # qfac
    with pytest.raises(GeometryError, match="sform and qform differ"):
        read_nifti(path)


@pytest.mark.parametrize(("sform", "qform"), [(1, 0), (0, 1), (4, 0), (2, 1)])
def test_any_coded_place_is_taken(tmp_path, sform, qform):
    affine = np.array([[0, -0.8, 0, 3], [0.7, 0, 0, 4], [0, 0, 2.5, 5], [0, 0, 0, 1.0]])
    path = write_raw(tmp_path / "a.nii", hounsfield(), affine, sform=sform, qform=qform)
    geometry = read_nifti(path).geometry
    assert np.allclose(geometry.to_lps((1, 2, 3)), (RAS @ affine @ (3, 2, 1, 1))[:3], atol=1e-5)


def test_a_shear_that_the_qform_lost_is_no_disagreement(tmp_path):
    affine = np.array([[0.7, 0.1, 0, 3], [0, 0.8, 0, 4], [0, 0, 2.5, 5], [0, 0, 0, 1.0]])
    read = read_nifti(write_raw(tmp_path / "a.nii", hounsfield(), affine))
    assert not read.geometry.is_orthogonal
    assert np.allclose(read.geometry.to_lps((0, 1, 0)), (-3.1, -4.8, 5), atol=1e-5)


@pytest.mark.parametrize("spacing", [0.0007, 700.0])
def test_spacing_that_no_patient_has_is_refused(tmp_path, spacing):
    path = write_raw(tmp_path / "a.nii", hounsfield(), np.diag([spacing, 0.8, 2.5, 1.0]), qform=0)
    with pytest.raises(GeometryError, match="correct its spacing or its unit of length"):
        read_nifti(path)


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_an_affine_that_cannot_be_one_is_refused(tmp_path, value):
    path = write_raw(tmp_path / "a.nii", hounsfield(), qform=0)
    patch(path, 280, struct.pack("<4f", *[value] * 4))
    with pytest.raises(GeometryError, match="no usable place in the patient"):
        read_nifti(path)


# what is no scan


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.arange(30, dtype=np.int16).reshape(6, 5), "three axes"),
        (np.arange(30, dtype=np.int16).reshape(6, 5, 1), "one slice"),
        (np.arange(120, dtype=np.int16).reshape(5, 4, 3, 2), "three axes, .* 5 x 4 x 3 x 2"),
        (np.ones((4, 4, 4), dtype=np.complex64), "complex numbers"),
        (np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]), "colours"),
    ],
)
def test_what_is_no_scalar_3d_image_is_refused(tmp_path, array, words):
    path = write_raw(tmp_path / "a.nii", array, qform=0)
    with pytest.raises(UnsupportedImageError, match=words):
        read_nifti(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    array = hounsfield(dtype=np.float64)
    array[1, 2, 3] = value
    with pytest.raises(IntensityError, match="finite"):
        read_nifti(write_raw(tmp_path / "a.nii", array))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_text_file_under_another_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("Dear colleague, here is the scan. " * 50)
    with pytest.raises(CorruptFileError, match="not"):
        read_nifti(tmp_path / name)


def test_a_packed_text_file_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"Dear colleague, " * 100))
    with pytest.raises(CorruptFileError, match="is not NIfTI"):
        read_nifti(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("size", [0, 3, 100, 350])
def test_a_file_shorter_than_its_header_is_refused(tmp_path, size):
    raw = write_raw(tmp_path / "a.nii", hounsfield()).read_bytes()
    (tmp_path / "b.nii").write_bytes(raw[:size])
    with pytest.raises(InputRefusedError):
        read_nifti(tmp_path / "b.nii")


@pytest.mark.parametrize("code", [1, 5, 32000])
def test_a_type_of_voxels_that_nobody_knows_is_refused(tmp_path, code):
    path = patch(write_raw(tmp_path / "a.nii", hounsfield()), 70, struct.pack("<h", code))
    with pytest.raises(UnsupportedImageError, match=r"unknown type of voxels|one real number"):
        read_nifti(path)


def test_half_a_pair_is_refused(tmp_path):
    nib.save(nib.Nifti1Pair(hounsfield(), np.eye(4)), tmp_path / "a.img")
    (tmp_path / "a.hdr").rename(tmp_path / "a.nii")
    with pytest.raises(UnsupportedImageError, match="half of a pair"):
        read_nifti(tmp_path / "a.nii")


def test_missing_files_and_folders_are_nothing_to_do(tmp_path):
    with pytest.raises(NothingToDoError, match="not there"):
        read_nifti(tmp_path / "a.nii")
    with pytest.raises(NothingToDoError, match="a folder"):
        read_nifti(tmp_path)


def test_bytes_behind_the_voxels_are_refused(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorruptFileError, match="more bytes than its header declares"):
        read_nifti(path)


# damage and bombs


@pytest.mark.parametrize("kind", ["cut", "flip"])
def test_no_damaged_gzip_is_accepted(tmp_path, kind):
    written = scan((6, 20, 20))
    path = tmp_path / "a.nii.gz"
    write_volume(written, path)
    raw = path.read_bytes()
    chance = random.Random(17)
    for _ in range(120):
        damaged = bytearray(raw)
        if kind == "cut":
            damaged = damaged[: chance.randrange(len(raw))]
        else:
            damaged[chance.randrange(10, len(raw))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(InputRefusedError):
            read_nifti(path)


def test_damage_in_the_part_of_gzip_that_holds_no_voxels_changes_none(tmp_path):
    written = scan()
    path = tmp_path / "a.nii.gz"
    write_volume(written, path)
    raw = bytearray(path.read_bytes())
    raw[4] ^= 1  # the time stamp
    path.write_bytes(raw)
    assert np.array_equal(read_nifti(path).array, written.array)


def test_a_header_that_promises_more_than_gzip_can_hold_takes_no_memory(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 42, struct.pack("<3h", 1200, 1200, 1000))
    bomb = tmp_path / "b.nii.gz"
    bomb.write_bytes(gzip.compress(path.read_bytes()))
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeFileError, match=r"declares 2880.0 MB .* cannot hold them"):
            read_nifti(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_a_header_over_the_cap_is_refused_whatever_the_file_holds(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    patch(path, 42, struct.pack("<3h", 32000, 32000, 32000))
    with pytest.raises(UnsafeFileError, match=r"more than 8.6 GB"):
        read_nifti(path)


def test_a_scan_too_large_for_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    monkeypatch.setattr(_guard, "available_bytes", lambda: 600)
    with pytest.raises(ResourceLimitError, match="free memory"):
        read_nifti(path)


def test_a_plain_file_cut_short_is_refused(tmp_path):
    path = write_raw(tmp_path / "a.nii", hounsfield())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFileError, match="cut short"):
        read_nifti(path)


# other numbers


def test_a_map_of_numbers_survives(tmp_path):
    values = np.random.default_rng(3).random((4, 5, 6), dtype=np.float32)
    grid = scan().geometry
    write_scalar_map(values, grid, tmp_path / "c.nii.gz", what="confidence")
    read, place = read_scalar_map(tmp_path / "c.nii.gz")
    assert np.array_equal(read, values)
    assert place == grid
    with pytest.raises(IntensityError, match=r"does not say whether it is CT or MR|8-bit"):
        read_nifti(tmp_path / "c.nii.gz")
