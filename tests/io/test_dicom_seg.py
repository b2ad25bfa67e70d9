import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from surgplan.errors import (
    CorruptFileError,
    GeometryError,
    InputRefusedError,
    LabelError,
    UnsupportedImageError,
)
from surgplan.io import read_label_map
from surgplan.volume import LEFT_KIDNEY, LIVER, LIVER_TUMOUR, SPLEEN

SHAPE = (5, 6, 7)
SPACING_MM = (2.5, 0.8, 0.7)
ROWS = np.array([0.0, 0.8, -0.6])  # where the row index goes
COLUMNS = np.array([1.0, 0.0, 0.0])
ORIGIN = np.array([-9.0, 8.0, 77.0])
NORMAL = np.cross(COLUMNS, ROWS)


def source_slice(number, position):
    """One slice of the CT that the segmentation belongs to."""
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[str(number)])
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    ds.FrameOfReferenceUID = "1.2.3.5"
    ds.PatientID = ds.PatientName = ds.PatientBirthDate = ds.PatientSex = ""
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ds.StudyID = ""
    ds.Modality, ds.InstanceNumber, ds.SeriesNumber = "CT", number, 1
    ds.Rows, ds.Columns = SHAPE[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.PixelSpacing = list(SPACING_MM[1:])
    ds.SliceThickness = SPACING_MM[0]
    ds.ImageOrientationPatient = [*COLUMNS, *ROWS]
    ds.ImagePositionPatient = [round(float(x), 6) for x in position]
    ds.PixelData = bytes(2 * SHAPE[1] * SHAPE[2])
    return ds


def description(number, label, kind, *, region=None, modifier=None):
    d = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=kind,
        algorithm_type="MANUAL",
        anatomic_regions=[region] if region else None,
    )
    if modifier:
        code = hd.sr.CodedConcept(*modifier)
        d.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [code]
    return d


LIVER_CODE = Code("10200004", "SCT", "Liver")


def seg_file(path, masks, descriptions, *, kind="BINARY", positions=None):
    """A SEG object by highdicom; `masks` is (slice, row, column, segment) from the lowest slice."""
    places = positions or [ORIGIN + NORMAL * SPACING_MM[0] * k for k in range(SHAPE[0])]
    sources = [source_slice(k, p) for k, p in enumerate(places)]
    seg = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid="1.2.3.6",
        series_number=2,
        sop_instance_uid="1.2.3.7",
        instance_number=1,
        manufacturer="tests",
        manufacturer_model_name="tests",
        software_versions="1",
        device_serial_number="1",
    )
    seg.save_as(path)
    return path


def masks(*boxes):
    array = np.zeros((*SHAPE, len(boxes)), dtype=np.uint8)
    for segment, ranges in enumerate(boxes):
        array[(*[slice(*r) for r in ranges], segment)] = 1
    return array


LIVER_BOX = ((1, 3), (1, 5), (2, 7))
SPLEEN_BOX = ((3, 4), (0, 2), (0, 2))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_come_back_where_they_were_with_empty_frames_in_between(tmp_path, kind):
    drawn = masks(LIVER_BOX, SPLEEN_BOX)
    drawn[1, 5, 6, 1] = 1
    drawn[2] = 0  # an empty frame between others is left out of the file
    path = seg_file(
        tmp_path / "a.dcm",
        drawn,
        [description(1, "L", LIVER_CODE), description(2, "Milz", codes.SCT.Spleen)],
        kind=kind,
    )
    assert int(pydicom.dcmread(path).NumberOfFrames) < 2 * SHAPE[0]
    read = read_label_map(path)
    assert read.segments == (LIVER, SPLEEN)
    wanted = drawn[..., 0] * LIVER.label + drawn[..., 1] * SPLEEN.label
    for segment in read.segments:
        theirs = read.geometry.to_lps(np.argwhere(read.array == segment.label))
        index = np.argwhere(wanted == segment.label)
        ours = (
            ORIGIN
            + index[:, :1] * NORMAL * SPACING_MM[0]
            + index[:, 1:2] * ROWS * SPACING_MM[1]
            + index[:, 2:] * COLUMNS * SPACING_MM[2]
        )
        assert np.allclose(sorted(theirs.tolist()), sorted(ours.tolist()), atol=1e-4)


def test_slices_rise_along_the_normal_as_in_our_scans(tmp_path):
    path = seg_file(tmp_path / "a.dcm", masks(LIVER_BOX), [description(1, "L", LIVER_CODE)])
    geometry = read_label_map(path).geometry
    assert np.allclose(geometry.directions[:, 0], NORMAL, atol=1e-6)
    assert geometry.spacing_mm == pytest.approx(SPACING_MM)


def test_tumour_and_side_are_understood_from_codes(tmp_path):
    mass = Code("4147007", "SCT", "Mass")
    kidney = Code("64033007", "SCT", "Kidney")
    path = seg_file(
        tmp_path / "a.dcm",
        masks(LIVER_BOX, SPLEEN_BOX),
        [
            description(1, "one", mass, region=LIVER_CODE),
            description(2, "two", kidney, modifier=("7771000", "SCT", "Left")),
        ],
    )
    assert read_label_map(path).segments == (LIVER_TUMOUR, LEFT_KIDNEY)


def test_parenchyma_gives_way_to_a_tumour_drawn_over_it(tmp_path):
    tumour = ((1, 2), (2, 4), (3, 5))
    path = seg_file(
        tmp_path / "a.dcm",
        masks(tumour, LIVER_BOX),
        [description(1, "liver tumor", codes.SCT.Tissue), description(2, "liver", LIVER_CODE)],
    )
    read = read_label_map(path)
    assert int(read.mask(LIVER_TUMOUR).sum()) == 4
    assert int(read.mask(LIVER).sum()) == 2 * 4 * 5 - 4


def test_other_overlaps_are_refused(tmp_path):
    path = seg_file(
        tmp_path / "a.dcm",
        masks(LIVER_BOX, ((1, 2), (1, 2), (2, 3))),
        [description(1, "L", LIVER_CODE), description(2, "S", codes.SCT.Spleen)],
    )
    with pytest.raises(LabelError, match=r"must not overlap, a.dcm has 1 voxels in two"):
        read_label_map(path)


def test_fractional_segmentations_are_refused_with_the_reason(tmp_path):
    path = seg_file(
        tmp_path / "a.dcm",
        masks(LIVER_BOX).astype(np.float64) * 0.7,
        [description(1, "L", LIVER_CODE)],
        kind="FRACTIONAL",
    )
    with pytest.raises(LabelError, match=r"fractional .* no sharp end; export it as binary"):
        read_label_map(path)


def test_unclear_segments_are_refused_by_name(tmp_path):
    path = seg_file(
        tmp_path / "a.dcm", masks(LIVER_BOX), [description(1, "ROI 1", codes.SCT.Tissue)]
    )
    with pytest.raises(LabelError, match="'ROI 1'"):
        read_label_map(path)
    (tmp_path / "n.json").write_text('{"ROI 1": "liver"}')
    assert read_label_map(path, label_names=tmp_path / "n.json").segments == (LIVER,)


def test_uneven_slices_are_refused(tmp_path):
    heights = [0.0, 2.5, 5.0, 9.1, 10.0]
    path = seg_file(
        tmp_path / "a.dcm",
        masks(((0, 5), (1, 3), (1, 3))),
        [description(1, "L", LIVER_CODE)],
        positions=[ORIGIN + NORMAL * h for h in heights],
    )
    with pytest.raises(GeometryError, match="do not make one regular grid"):
        read_label_map(path)


def test_a_scan_is_no_segmentation(tmp_path):
    ds = source_slice(0, ORIGIN)
    pydicom.dcmwrite(tmp_path / "a.dcm", ds, enforce_file_format=True)
    with pytest.raises(UnsupportedImageError, match="no segmentation"):
        read_label_map(tmp_path / "a.dcm")


def test_an_encoding_without_decoder_is_refused_by_its_name(tmp_path):
    path = seg_file(tmp_path / "a.dcm", masks(LIVER_BOX), [description(1, "L", LIVER_CODE)])
    ds = pydicom.dcmread(path)
    ds.PixelData = pydicom.encaps.encapsulate([b"\0\0"] * int(ds.NumberOfFrames))
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
    ds.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnsupportedImageError, match="no decoder for JPEG Baseline"):
        read_label_map(tmp_path / "b.dcm")


def test_a_file_cut_short_is_refused_wherever_it_is_cut(tmp_path):
    path = seg_file(tmp_path / "a.dcm", masks(LIVER_BOX), [description(1, "L", LIVER_CODE)])
    raw = path.read_bytes()
    for size in np.linspace(140, len(raw) - 1, 25).astype(int):
        (tmp_path / "b.dcm").write_bytes(raw[:size])
        with pytest.raises(InputRefusedError):
            read_label_map(tmp_path / "b.dcm")


def test_a_number_of_frames_that_lies_is_refused(tmp_path):
    path = seg_file(tmp_path / "a.dcm", masks(LIVER_BOX), [description(1, "L", LIVER_CODE)])
    for frames in (3, 100_000_000):
        ds = pydicom.dcmread(path)
        ds.NumberOfFrames = frames
        ds.save_as(tmp_path / "b.dcm")
        with pytest.raises(InputRefusedError) as refusal:
            read_label_map(tmp_path / "b.dcm")
        assert not isinstance(refusal.value, CorruptFileError) or "b.dcm" in str(refusal.value)
