import bz2
import gzip
import random
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surgplan.errors import (
    CorruptFileError,
    GeometryError,
    InputRefusedError,
    IntensityError,
    NothingToDoError,
    UnsafeFileError,
    UnsupportedImageError,
    UsageError,
)
from surgplan.io import read_itk, write_volume
from surgplan.volume import Geometry, Volume

FORMATS = ["a.nrrd", "a.mha"]


def scan(shape=(4, 5, 6), affine=None):
    values = np.random.default_rng(1).integers(-1000, 1000, shape)
    grid = Geometry.from_spacing(shape=shape, spacing_mm=(2.5, 0.8, 0.7), origin_mm=(-9, 8, 77))
    if affine is not None:
        grid = Geometry(shape=shape, affine=affine)
    return Volume(array=values.astype(np.int16), geometry=grid, modality="CT")


@st.composite
def affines(draw, shear=0.0):
    """Oblique, flipped, anisotropic, of either hand."""
    rotation = Rotation.from_euler(
        "xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True
    )
    spacing = draw(st.tuples(*[st.floats(0.3, 6)] * 3))
    flips = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    affine = np.eye(4)
    affine[:3, :3] = (rotation.as_matrix() * flips)[:, draw(st.permutations(range(3)))] * spacing
    affine[:3, 0] += shear * affine[:3, 1]
    affine[:3, 3] = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    return affine


def itk_image(affine, array):
    """The image as SimpleITK alone would hold it."""
    steps = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def nrrd(path, *, data=None, **changed):
    """An NRRD file written by hand; a field set to None is left out."""
    array = scan().array if data is None else data
    header = {
        "type": "int16",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "6 5 4",
        "space directions": "(0.7,0,0) (0,0.8,0) (0,0,2.5)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(-9,8,77)",
    }
    header |= {k.replace("_", " "): v for k, v in changed.items()}
    lines = [f"{k}: {v}" for k, v in header.items() if v is not None]
    content = array.tobytes() if isinstance(array, np.ndarray) else array
    path.write_bytes(("NRRD0005\n" + "\n".join(lines) + "\n\n").encode() + content)
    return path


def mha(path, *, data=None, **changed):
    """A MetaImage file written by hand; a field set to None is left out."""
    array = scan().array if data is None else data
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "-9 8 77",
        "ElementSpacing": "0.7 0.8 2.5",
        "DimSize": "6 5 4",
        "ElementType": "MET_SHORT",
        "ElementDataFile": "LOCAL",
    }
    last = changed.pop("ElementDataFile", "LOCAL")
    header |= changed
    header.pop("ElementDataFile")
    lines = [f"{k} = {v}" for k, v in {**header, "ElementDataFile": last}.items() if v is not None]
    content = array.tobytes() if isinstance(array, np.ndarray) else array
    path.write_bytes(("\n".join(lines) + "\n").encode() + content)
    return path


def is_the_scan(read):
    return np.array_equal(read.array, scan().array) and read.geometry.matches(scan().geometry)


@pytest.mark.parametrize("name", FORMATS)
@given(affine=affines())
def test_what_is_read_is_what_was_written(tmp_path_factory, name, affine):
    path = tmp_path_factory.mktemp("itk") / name
    written = scan(affine=affine)
    write_volume(written, path)
    read = read_itk(path)
    assert read.geometry == written.geometry
    assert np.array_equal(read.array, written.array)
    assert (read.modality, read.fingerprint()) == ("CT", written.fingerprint())


@pytest.mark.parametrize("name", [*FORMATS, "a.nhdr", "a.mhd"])
@given(affine=affines(), packed=st.booleans(), kind=st.sampled_from(["i2", "i4", "f4", "f8"]))
def test_files_of_simpleitk_are_read_as_simpleitk_reads_them(
    tmp_path_factory, name, affine, packed, kind
):
    path = tmp_path_factory.mktemp("itk") / name
    array = scan().array.astype(kind)
    sitk.WriteImage(itk_image(affine, array), str(path), packed)
    image = sitk.ReadImage(str(path))
    read = read_itk(path)
    assert np.array_equal(read.array, sitk.GetArrayFromImage(image))
    for index in [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5)]:
        by_itk = image.TransformIndexToPhysicalPoint(index[::-1])
        assert np.allclose(by_itk, read.geometry.to_lps(index), atol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
@given(affine=affines(shear=0.3))
def test_sheared_grids_are_kept_though_itk_straightens_them(tmp_path_factory, name, affine):
    path = tmp_path_factory.mktemp("itk") / name
    written = scan(affine=affine)
    write_volume(written, path)
    assert read_itk(path).geometry == written.geometry
    sitk.WriteImage(itk_image(affine, written.array), str(path))  # no note to help
    assert read_itk(path).geometry.matches(written.geometry)


@pytest.mark.parametrize("kind", ["cut", "flip"])
@pytest.mark.parametrize("name", FORMATS)
def test_no_damage_in_packed_voxels_is_accepted(tmp_path, name, kind):
    path = tmp_path / name
    write_volume(scan((6, 20, 20)), path)
    raw = path.read_bytes()
    start = raw.index(b"\n\n") + 12 if name == "a.nrrd" else raw.index(b"LOCAL\n") + 6
    chance = random.Random(17)
    for _ in range(100):
        damaged = bytearray(raw)
        if kind == "cut":
            damaged = damaged[: chance.randrange(len(raw))]
        else:
            damaged[chance.randrange(start, len(raw))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(InputRefusedError):
            read_itk(path)


# NRRD


def test_the_handwritten_files_are_the_scan(tmp_path):
    assert is_the_scan(read_itk(nrrd(tmp_path / "a.nrrd")))
    assert is_the_scan(read_itk(mha(tmp_path / "a.mha")))


@pytest.mark.parametrize(
    ("space", "signs"), [("right-anterior-superior", (-1, -1)), ("RAS", (-1, -1)), ("LAS", (1, -1))]
)
def test_other_spaces_become_lps(tmp_path, space, signs):
    x, y = signs
    path = nrrd(
        tmp_path / "a.nrrd",
        space=space,
        space_directions=f"({0.7 * x},0,0) (0,{0.8 * y},0) (0,0,2.5)",
        space_origin=f"({-9 * x},{8 * y},77)",
    )
    assert is_the_scan(read_itk(path))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("raw", bytes), ("gzip", gzip.compress), ("gz", gzip.compress), ("bzip2", bz2.compress)],
)
def test_every_binary_encoding_is_read(tmp_path, encoding, pack):
    data = pack(scan().array.tobytes())
    assert is_the_scan(read_itk(nrrd(tmp_path / "a.nrrd", encoding=encoding, data=data)))


def test_big_endian_is_read(tmp_path):
    data = scan().array.astype(">i2")
    assert is_the_scan(read_itk(nrrd(tmp_path / "a.nrrd", endian="big", data=data)))
    assert is_the_scan(read_itk(mha(tmp_path / "a.mha", BinaryDataByteOrderMSB="True", data=data)))


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"space": None}, GeometryError, "does not give its 'space'"),
        ({"space": "scanner-xyz"}, GeometryError, "not in a patient"),
        ({"space_directions": None}, GeometryError, "does not give its 'space directions'"),
        ({"space_origin": None}, GeometryError, "does not give its 'space origin'"),
        ({"space_origin": "(1,2)"}, GeometryError, "no 3D vector"),
        ({"space_directions": "(1,0,0) (1,0,0) (0,0,1)"}, GeometryError, "no usable place"),
        ({"space_directions": "(nan,0,0) (0,1,0) (0,0,1)"}, GeometryError, "no usable place"),
        ({"space_units": '"um" "um" "um"'}, GeometryError, "measures in um"),
        ({"encoding": "txt"}, UnsupportedImageError, "save it as gzip"),
        ({"type": "block"}, UnsupportedImageError, "save it as gzip"),
        ({"byte_skip": "10"}, UnsupportedImageError, "skips bytes"),
        ({"endian": None}, CorruptFileError, "byte order"),
        ({"sizes": "6 5"}, CorruptFileError, "impossible sizes"),
        ({"sizes": "6 5 0"}, CorruptFileError, "impossible sizes"),
        ({"sizes": "6 5 x"}, CorruptFileError, "number in its header"),
        ({"sizes": "6 5 5"}, CorruptFileError, "cut short"),
        ({"sizes": "6 5 3"}, CorruptFileError, "more bytes than"),
        ({"sizes": "6000 5000 4"}, UnsafeFileError, "cannot hold them"),
        ({"encoding": "gzip"}, CorruptFileError, "damaged"),
        ({"data_file": "../a.raw"}, UnsafeFileError, "next to it"),
        ({"data_file": "/etc/passwd"}, UnsafeFileError, "next to it"),
        ({"data_file": "LIST"}, NothingToDoError, "not there"),
    ],
)
def test_nrrd_that_could_be_misread_is_refused(tmp_path, changed, error, words):
    with pytest.raises(error, match=words):
        read_itk(nrrd(tmp_path / "a.nrrd", **changed))


def test_several_numbers_per_voxel_are_refused(tmp_path):
    path = nrrd(
        tmp_path / "a.nrrd",
        dimension="4",
        sizes="3 6 5 4",
        space_directions="none (0.7,0,0) (0,0.8,0) (0,0,2.5)",
        data=np.zeros((4, 5, 6, 3), dtype=np.int16),
    )
    with pytest.raises(UnsupportedImageError, match="one number per voxel"):
        read_itk(path)
    with pytest.raises(UnsupportedImageError, match="ElementNumberOfChannels = 4"):
        read_itk(mha(tmp_path / "a.mha", ElementNumberOfChannels="4"))


def test_a_list_of_one_is_one_image(tmp_path):
    path = nrrd(
        tmp_path / "a.nrrd",
        dimension="4",
        sizes="1 6 5 4",
        space_directions="none (0.7,0,0) (0,0.8,0) (0,0,2.5)",
    )
    assert is_the_scan(read_itk(path))


def test_a_time_series_is_refused(tmp_path):
    path = nrrd(tmp_path / "a.nrrd", dimension="2", sizes="24 5", space_directions="(1,0,0) none")
    with pytest.raises(UnsupportedImageError, match="three axes in space"):
        read_itk(path)


def test_a_detached_header_finds_its_data_beside_it(tmp_path):
    (tmp_path / "a.raw").write_bytes(scan().array.tobytes())
    assert is_the_scan(read_itk(nrrd(tmp_path / "a.nhdr", data=b"", data_file="a.raw")))
    assert is_the_scan(read_itk(mha(tmp_path / "a.mhd", data=b"", ElementDataFile="a.raw")))


# MetaImage


def test_packed_metaimage_is_read(tmp_path):
    data = zlib.compress(scan().array.tobytes())
    assert is_the_scan(read_itk(mha(tmp_path / "a.mha", CompressedData="True", data=data)))


def test_bytes_behind_packed_voxels_are_refused(tmp_path):
    data = zlib.compress(scan().array.tobytes()) + b"x"
    with pytest.raises(CorruptFileError, match="bytes follow the end"):
        read_itk(mha(tmp_path / "a.mha", CompressedData="True", data=data))


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"NDims": "2"}, UnsupportedImageError, "NDims = 2"),
        ({"BinaryData": "False"}, UnsupportedImageError, "BinaryData"),
        ({"HeaderSize": "128"}, UnsupportedImageError, "HeaderSize"),
        ({"ElementDataFile": "LIST"}, UnsupportedImageError, "one .mha"),
        ({"ElementDataFile": "slice%03d.raw 1 4 1"}, UnsupportedImageError, "one .mha"),
        ({"ElementType": "MET_OTHER"}, UnsupportedImageError, "MET_OTHER"),
        ({"ElementDataFile": "../a.raw"}, UnsafeFileError, "next to it"),
        ({"Offset": None}, GeometryError, "place in the patient"),
        ({"TransformMatrix": None}, GeometryError, "place in the patient"),
        ({"ElementSpacing": None}, GeometryError, "place in the patient"),
        ({"ElementSpacing": "1 1"}, CorruptFileError, "3 numbers"),
        ({"ElementSpacing": "0 1 1"}, GeometryError, "no usable place"),
        ({"DimSize": "6 5 5"}, CorruptFileError, "cut short"),
        ({"DimSize": "6 5 -4"}, CorruptFileError, "impossible sizes"),
        ({"DimSize": "6 5 3"}, CorruptFileError, "more bytes than"),
        ({"DimSize": "6000 5000 4"}, UnsafeFileError, "cannot hold them"),
    ],
)
def test_metaimage_that_could_be_misread_is_refused(tmp_path, changed, error, words):
    with pytest.raises(error, match=words):
        read_itk(mha(tmp_path / "a.mha", **changed))


@pytest.mark.parametrize("name", [*FORMATS, "a.nhdr", "a.mhd"])
def test_a_text_file_under_another_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("Dear colleague, here is the scan.\n" * 50)
    with pytest.raises(CorruptFileError, match="whatever its name says"):
        read_itk(tmp_path / name)


def test_values_are_checked_against_the_modality(tmp_path):
    path = nrrd(tmp_path / "a.nrrd", data=np.abs(scan().array))
    with pytest.raises(IntensityError, match="--modality mr"):
        read_itk(path)
    assert read_itk(path, "MR").modality == "MR"


def test_other_suffixes_are_a_mistake_of_the_call(tmp_path):
    with pytest.raises(UsageError, match=r"readable here are \.nrrd"):
        read_itk(tmp_path / "a.vtk")
    with pytest.raises(UsageError, match="a scan is written as"):
        write_volume(scan(), tmp_path / "a.vtk")
    with pytest.raises(UsageError, match="a scan is written as"):
        write_volume(scan(), tmp_path / "a.seg.nrrd")
