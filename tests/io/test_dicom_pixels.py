"""Values come back exactly in every encoding that is read; the others are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jpeg_ls
import numpy as np
import numpy.typing as npt
import pytest
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from surgplan.errors import CorruptFileError, IntensityError, UnsupportedImageError
from surgplan.io import read_volume

Store = Callable[[Dataset, npt.NDArray[Any]], None]


def _encapsulate(dataset: Dataset, codestream: bytes, syntax: str) -> None:
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax


def _jpeg_2000(dataset: Dataset) -> None:
    _encapsulate(dataset, encode_array(dataset.pixel_array), JPEG2000Lossless)


def _jpeg_ls(dataset: Dataset) -> None:
    _encapsulate(dataset, bytes(jpeg_ls.encode_array(dataset.pixel_array)), JPEGLSLossless)


def _rle(dataset: Dataset) -> None:
    dataset.compress(RLELossless, generate_instance_uid=False)


def _implicit(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def _deflated(dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


@pytest.mark.parametrize("encode", [_jpeg_2000, _jpeg_ls, _rle, _implicit, _deflated])
def test_every_encoding_gives_the_same_values(maker: Any, encode: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        encode(dataset)
    volume = read_volume(maker.save(slices))
    assert np.array_equal(volume.array, maker.truth.array)
    assert np.abs(volume.geometry.affine - maker.truth.affine).max() < 1e-6


def test_big_endian_gives_the_same_values(maker: Any) -> None:
    for n, made in enumerate(maker.slices()):
        dataset = Dataset()
        dataset.update(made)
        dataset.file_meta = made.file_meta
        dataset.PixelData = made.pixel_array.astype(">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        path = maker.folder / f"{n}.dcm"
        dataset.save_as(path, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert np.array_equal(read_volume(maker.folder).array, maker.truth.array)


def test_a_compressed_multi_frame_file_gives_the_same_values(maker: Any) -> None:
    dataset = maker.enhanced()
    dataset.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(read_volume(maker.save([dataset])).array, maker.truth.array)


def test_signed_numbers_are_read(maker: Any, store: Store) -> None:
    slices = maker.slices()
    for dataset, plane in zip(slices, maker.truth.array, strict=True):
        store(dataset, plane)
        dataset.RescaleIntercept = 0
    assert np.array_equal(read_volume(maker.save(slices)).array, maker.truth.array)


def test_twelve_bits_without_carried_sign_are_read(maker: Any, store: Store) -> None:
    slices = maker.slices()
    for dataset, plane in zip(slices, maker.truth.array, strict=True):
        store(dataset, plane & 0x0FFF)
        dataset.RescaleIntercept = 0
        dataset.BitsStored, dataset.HighBit = 12, 11
    assert np.array_equal(read_volume(maker.save(slices)).array, maker.truth.array)


def test_bits_beyond_those_stored_are_refused(maker: Any) -> None:
    slices = maker.slices()
    slices[2].BitsStored, slices[2].HighBit = 10, 9
    with pytest.raises(IntensityError, match="IM0002 says 10 bits and holds"):
        read_volume(maker.save(slices))


def test_each_slice_has_its_own_rescale(maker: Any, store: Store) -> None:
    slices = maker.slices()
    for n, (dataset, plane) in enumerate(zip(slices, maker.truth.array, strict=True)):
        store(dataset, (plane.astype(np.int32) * 2 + 40 * n).astype(np.int16))
        dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", str(-20 * n)
    volume = read_volume(maker.save(slices))
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, maker.truth.array)


def test_values_beyond_int16_become_float32(maker: Any, store: Store) -> None:
    slices = maker.slices()
    values = maker.truth.array.astype(np.int32)
    values[4, 1, 2] = 40_000
    for dataset, plane in zip(slices, values, strict=True):
        store(dataset, (plane + 1024).astype(np.uint16))
    volume = read_volume(maker.save(slices))
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, values)


def test_mr_keeps_its_own_units(maker: Any, store: Store) -> None:
    slices = maker.slices(modality="MR")
    for dataset, plane in zip(slices, maker.truth.array, strict=True):
        store(dataset, (plane + 1024).astype(np.uint16))
        del dataset.RescaleSlope, dataset.RescaleIntercept
    volume = read_volume(maker.save(slices))
    assert volume.modality == "MR"
    assert np.array_equal(volume.array, maker.truth.array + 1024)


@pytest.mark.parametrize(("modality", "background"), [("CT", -1000), ("MR", 0)])
def test_padding_becomes_background(
    maker: Any, store: Store, modality: str, background: int
) -> None:
    slices = maker.slices(modality=modality)
    values = maker.truth.array.clip(0 if modality == "MR" else None)
    for dataset, plane in zip(slices, values, strict=True):
        stored = plane.copy()
        stored[:3, :2] = -2000
        store(dataset, stored)
        dataset.RescaleIntercept = 0
        dataset.add_new(0x00280120, "SS", -2000)
        dataset.BitsStored, dataset.HighBit = 12, 11
    array = read_volume(maker.save(slices)).array
    assert (array[:, :3, :2] == background).all()
    assert np.array_equal(array[:, 3:], values[:, 3:])


def test_a_range_of_padding_becomes_background(maker: Any, store: Store) -> None:
    slices = maker.slices()
    for dataset, plane in zip(slices, maker.truth.array, strict=True):
        stored = plane.copy()
        stored[0, 0], stored[0, 1] = -3000, -2990
        store(dataset, stored)
        dataset.RescaleIntercept = 0
        dataset.add_new(0x00280120, "US", 65536 - 3000)  # as some writers do for signed numbers
        dataset.add_new(0x00280121, "SS", -2985)
    array = read_volume(maker.save(slices)).array
    assert (array[:, 0, :2] == -1000).all()
    assert np.array_equal(array[:, 1:], maker.truth.array[:, 1:])


def _inverted(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _colour(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "RGB"
    dataset.SamplesPerPixel = 3
    dataset.PlanarConfiguration = 0


def _one_bit(dataset: Dataset) -> None:
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0


def _shifted(dataset: Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 12, 15


def _no_decoder(dataset: Dataset) -> None:
    _encapsulate(dataset, b"\xff\xd8" + bytes(60), JPEGLosslessSV1)


def _table(dataset: Dataset) -> None:
    table = Dataset()
    table.LUTDescriptor = [2, 0, 16]
    table.LUTData = bytes(4)
    table.ModalityLUTType = "HU"
    dataset.ModalityLUTSequence = Sequence([table])


def _flat(dataset: Dataset) -> None:
    dataset.RescaleSlope = 0


def _unscaled(dataset: Dataset) -> None:
    del dataset.RescaleSlope, dataset.RescaleIntercept


def _flow(dataset: Dataset) -> None:
    dataset.RescaleType = "ML_PER_MIN"


def _eight_bits(dataset: Dataset) -> None:
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = dataset.PixelData[::2] + b"\0"


def _endless(dataset: Dataset) -> None:
    dataset["RescaleSlope"]._value = "1e999"


def _short(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-2]


def _long(dataset: Dataset) -> None:
    dataset.PixelData += b"\0\0"


def _empty(dataset: Dataset) -> None:
    del dataset.PixelData


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_inverted, UnsupportedImageError, "MONOCHROME1"),
        (_colour, UnsupportedImageError, "RGB, 3 samples"),
        (_one_bit, UnsupportedImageError, "1 of 1 bits"),
        (_shifted, UnsupportedImageError, "high bit 15"),
        (_no_decoder, UnsupportedImageError, "no decoder for JPEG Lossless.*gdcmconv"),
        (_table, UnsupportedImageError, "through a table"),
        (_flat, IntensityError, "slope of 0"),
        (_unscaled, IntensityError, "no rescale slope"),
        (_flow, IntensityError, "Hounsfield units, IM0003 .* has ML_PER_MIN"),
        (_eight_bits, IntensityError, "more than 8 bits, IM0003 has 8"),
        (_endless, CorruptFileError, "IM0003 .*finite number"),
        (_short, CorruptFileError, "IM0003 .*cut short"),
        (_long, CorruptFileError, "holds 2378 bytes of pixels where its header says 2376"),
        (_empty, CorruptFileError, "holds no pixels"),
    ],
)
def test_one_slice_that_cannot_be_trusted_refuses_all(
    maker: Any, change: Callable[[Dataset], None], error: type[Exception], message: str
) -> None:
    slices = maker.slices()
    change(slices[3])
    with pytest.raises(error, match=message):
        read_volume(maker.save(slices))


def test_a_perfusion_map_is_no_ct(maker: Any) -> None:
    dataset = maker.enhanced()
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelValueTransformationSequence[0].RescaleType = "US"
    dataset.ImageType = ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]
    with pytest.raises(IntensityError, match=r"DERIVED\\PRIMARY\\PERFUSION"):
        read_volume(maker.save([dataset]))


def test_a_ct_without_air_is_refused(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        dataset.RescaleIntercept = 0
    with pytest.raises(IntensityError, match="Hounsfield units with negative air"):
        read_volume(maker.save(slices))


def test_a_codestream_of_another_size_is_refused(maker: Any) -> None:
    slices = maker.slices()
    for dataset in slices:
        _encapsulate(dataset, encode_array(np.zeros((1024, 1024), np.uint16)), JPEG2000Lossless)
    with pytest.raises(CorruptFileError, match="claims 1024x1024 pixels"):
        read_volume(maker.save(slices))
