"""Codes and segments, and the vocabulary in which every file is written."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from pydicom.sr.codedict import codes
from skimage.color import rgb2lab

from surgplan.errors import UsageError
from surgplan.volume import ANATOMY, COUINAUD, LIVER, Code, Segment

CODE = Code(value="10200004", meaning="Liver")
SEGMENT = Segment(label=1, name="liver", code=CODE, colour=(1, 2, 3))


def test_value_and_scheme_make_a_code_and_the_meaning_does_not() -> None:
    assert dataclasses.replace(CODE, value="78961009") != CODE
    assert dataclasses.replace(CODE, scheme="DCM") != CODE
    assert dataclasses.replace(CODE, meaning="Leber") == CODE
    assert hash(dataclasses.replace(CODE, meaning="Leber")) == hash(CODE)
    assert CODE != "10200004"


@pytest.mark.parametrize("field", ["value", "meaning", "scheme"])
def test_a_code_without_one_of_its_parts_is_refused(field) -> None:
    with pytest.raises(UsageError, match="must not be empty"):
        dataclasses.replace(CODE, **{field: ""})


def test_each_field_alone_breaks_equality_of_segments() -> None:
    changes = {
        "label": 2,
        "name": "spleen",
        "code": Code(value="78961009", meaning="Spleen"),
        "colour": (1, 2, 4),
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Segment)}
    for name, value in changes.items():
        assert dataclasses.replace(SEGMENT, **{name: value}) != SEGMENT, name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": 0}, r"1\.\.255, got 0"),
        ({"label": 256}, r"1\.\.255, got 256"),
        ({"name": ""}, "`name` must not be empty"),
        ({"colour": (1, 2)}, "three numbers"),
        ({"colour": (1, 2, 256)}, "three numbers"),
        ({"colour": (-1, 2, 3)}, "three numbers"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(change, words) -> None:
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(SEGMENT, **change)


NAMES = (
    "liver parenchyma", "liver tumour", "portal vein", "hepatic veins", "inferior vena cava",
    "aorta and arteries", "gallbladder and bile ducts", "spleen", "right kidney", "left kidney",
    "stomach", "pancreas", "lungs", "bone", "duodenum and bowel", "liver cyst",
)  # fmt: skip


def test_the_numbers_in_our_files_never_change() -> None:
    assert {s.label: s.name for s in ANATOMY} == dict(enumerate(NAMES, start=1))
    romans = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
    expected = {number: f"segment {roman}" for number, roman in enumerate(romans, start=1)}
    assert {s.label: s.name for s in COUINAUD} == expected


# The dictionary of DICOM PS3.16 knows these; the other codes are checked by their check digit.
IN_DICOM = {
    1: codes.SCT.Liver,
    3: codes.SCT.PortalVein,
    4: codes.SCT.HepaticVein,
    5: codes.SCT.InferiorVenaCava,
    6: codes.SCT.Artery,
    7: codes.SCT.BiliaryTract,
    8: codes.SCT.Spleen,
    11: codes.SCT.Stomach,
    12: codes.SCT.Pancreas,
    13: codes.SCT.Lung,
    14: codes.SCT.Bone,
}


@pytest.mark.parametrize("label", IN_DICOM)
def test_the_code_of_an_organ_is_dicom_s(label) -> None:
    code = ANATOMY[label - 1].code
    assert (code.value, code.scheme) == (IN_DICOM[label].value, "SCT")
    assert code.meaning == IN_DICOM[label].meaning


@pytest.mark.parametrize("segment", COUINAUD, ids=[s.name for s in COUINAUD])
def test_the_code_of_a_liver_segment_is_dicom_s(segment) -> None:
    roman = segment.name.removeprefix("segment ")
    known = getattr(codes.SCT, f"CouinaudHepaticSegment{roman}")
    assert (segment.code.value, segment.code.meaning) == (known.value, known.meaning)


def verhoeff(number: str) -> int:
    """0 for a number whose last digit is its Verhoeff check digit: products in the group D5."""

    def product(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 + (5 if b >= 5 else 0)
        return (a - b) % 5 + (0 if b >= 5 else 5)

    step = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, digit in enumerate(map(int, reversed(number))):
        for _ in range(place % 8):
            digit = step[digit]
        check = product(check, digit)
    return check


@pytest.mark.parametrize("segment", [*ANATOMY, *COUINAUD], ids=lambda s: s.name)
def test_every_snomed_code_fits_its_check_digit(segment) -> None:
    assert segment.code.scheme == "SCT"
    assert verhoeff(segment.code.value) == 0
    for wrong in range(1, 10):
        last = (int(segment.code.value[-1]) + wrong) % 10
        assert verhoeff(segment.code.value[:-1] + str(last)) != 0


def distances(segments: tuple[Segment, ...]) -> dict[tuple[str, str], float]:
    """CIELAB distance (CIE 1976) of every pair; 2.3 is just noticeable side by side."""
    lab = {s.name: rgb2lab(np.array(s.colour) / 255) for s in segments}
    return {
        (a, b): float(np.linalg.norm(lab[a] - lab[b])) for a, b in itertools.combinations(lab, 2)
    }


def test_no_two_structures_look_alike() -> None:
    close = {pair: d for pair, d in distances(ANATOMY).items() if d < 15}
    assert not close


def test_what_a_surgeon_must_tell_apart_in_the_liver_is_far_apart() -> None:
    inside = tuple(s for s in ANATOMY if s.label in (1, 2, 3, 4, 5, 6, 7, 16))
    close = {pair: d for pair, d in distances(inside).items() if d < 25}
    assert not close
    close = {pair: d for pair, d in distances(COUINAUD).items() if d < 25}
    assert not close


def test_liver_is_found_by_its_code_whatever_it_is_called() -> None:
    assert Code(value="10200004", meaning="Foie") == LIVER.code
