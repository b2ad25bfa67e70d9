import json

import pytest

from surgplan.errors import CorruptFileError, LabelError, NothingToDoError
from surgplan.io._label_names import IGNORE, read_table, structure_named
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    VENA_CAVA,
)

IRCADB = {
    "artery": ARTERIES, "biliarysystem": BILIARY, "bone": BONE, "colon": BOWEL,
    "gallbladder": BILIARY, "leftkidney": LEFT_KIDNEY, "leftlung": LUNGS,
    "leftsurrenalgland": IGNORE,
    "liver": LIVER, "livercyst": LIVER_CYST, "liverkyst01": LIVER_CYST, "livertumor": LIVER_TUMOUR,
    "livertumor05": LIVER_TUMOUR, "livertumors": LIVER_TUMOUR, "lungs": LUNGS,
    "pancreas": PANCREAS, "portalvein": PORTAL_VEIN, "portalvein1": PORTAL_VEIN,
    "rightkidney": RIGHT_KIDNEY, "rightlung": LUNGS, "skin": IGNORE, "smallintestin": BOWEL,
    "spleen": SPLEEN, "stomach": STOMACH, "venacava": VENA_CAVA, "heart": IGNORE, "bladder": IGNORE,
    "venoussystem": None, "kidneys": None, "metastasectomie": None, "stones": None,
}  # fmt: skip
"""Names of the structures of 3D-IRCADb-01."""

TOTALSEGMENTATOR = {
    "spleen": SPLEEN, "kidney_right": RIGHT_KIDNEY, "kidney_left": LEFT_KIDNEY,
    "gallbladder": BILIARY, "liver": LIVER, "stomach": STOMACH, "pancreas": PANCREAS,
    "adrenal_gland_left": IGNORE, "lung_upper_lobe_left": LUNGS, "lung_middle_lobe_right": LUNGS,
    "esophagus": IGNORE, "small_bowel": BOWEL, "duodenum": BOWEL, "colon": BOWEL,
    "kidney_cyst_left": IGNORE, "sacrum": BONE, "vertebrae_S1": BONE, "vertebrae_L5": BONE,
    "vertebrae_T12": BONE, "heart": IGNORE, "aorta": ARTERIES, "pulmonary_vein": IGNORE,
    "brachiocephalic_trunk": IGNORE, "subclavian_artery_right": ARTERIES,
    "common_carotid_artery_left": ARTERIES, "superior_vena_cava": IGNORE,
    "inferior_vena_cava": VENA_CAVA, "portal_vein_and_splenic_vein": PORTAL_VEIN,
    "iliac_artery_left": ARTERIES, "iliac_vena_right": IGNORE, "humerus_left": BONE,
    "clavicula_right": BONE, "hip_left": BONE, "spinal_cord": IGNORE,
    "gluteus_maximus_left": IGNORE, "autochthon_right": IGNORE, "iliopsoas_left": IGNORE,
    "skull": BONE, "rib_left_1": BONE, "rib_right_12": BONE, "sternum": BONE,
    "costal_cartilages": IGNORE, "intervertebral_discs": IGNORE, "liver_vessels": None,
}  # fmt: skip

HANDWRITTEN = {
    "Liver Tumour 2": LIVER_TUMOUR, "tumor_1": LIVER_TUMOUR, "Lesion": LIVER_TUMOUR,
    "hepatic-vein": HEPATIC_VEINS, "Hepatic Veins": HEPATIC_VEINS, "IVC": VENA_CAVA,
    "liver parenchyma": LIVER, "Portal Vein": PORTAL_VEIN, "bile duct": BILIARY,
    "kidney": None, "vessel": None, "Segment_1": None, "liver segment": None, "": None,
    "kidney tumor": None, "cyst": None, "veins": None,
}  # fmt: skip


@pytest.mark.parametrize(("name", "meant"), [*(IRCADB | TOTALSEGMENTATOR | HANDWRITTEN).items()])
def test_names_mean_one_structure_or_are_unsure(name, meant):
    assert structure_named(name) == meant


@pytest.mark.parametrize("segment", ANATOMY, ids=lambda s: s.name)
def test_our_own_names_are_known_however_they_are_written(segment):
    assert structure_named(segment.name) == segment
    assert structure_named(segment.name.upper().replace(" ", "_")) == segment


def table(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_every_form_of_an_entry_is_understood(tmp_path):
    content = {
        "livertumor1": 7,
        "lungs": [3, 4],
        "Segment_3": "hepatic veins",
        "venoussystem": {"label": 6, "structure": "hepatic veins"},
        "skin": {"label": 1, "structure": "ignore"},
        "body": {"label": [8, 9], "structure": None},
        "Segment_9": None,
    }
    entries = {
        e.name: (e.numbers, e.structure) for e in read_table(table(tmp_path / "n.json", content))
    }
    assert entries == {
        "livertumor1": ((7,), None),
        "lungs": ((3, 4), None),
        "Segment_3": ((), "hepatic veins"),
        "venoussystem": ((6,), "hepatic veins"),
        "skin": ((1,), "ignore"),
        "body": ((8, 9), "ignore"),
        "Segment_9": ((), "ignore"),
    }


@pytest.mark.parametrize("value", [0, -1, 1.5, True, [], [1, "2"], {"labels": 1}, {}, 70000, [[1]]])
def test_other_forms_are_refused(tmp_path, value):
    with pytest.raises(LabelError, match=r"n.json gives 'liver'"):
        read_table(table(tmp_path / "n.json", {"liver": value}))


def test_a_number_given_to_two_names_is_refused(tmp_path):
    with pytest.raises(LabelError, match="the number 3 to two names"):
        read_table(table(tmp_path / "n.json", {"liver": 3, "spleen": [4, 3]}))


def test_a_name_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(CorruptFileError, match="'liver' stands twice"):
        read_table(table(tmp_path / "n.json", '{"liver": 3, "liver": 4}'))


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(LabelError, match="JSON object"):
        read_table(table(tmp_path / "n.json", "[1]"))
    with pytest.raises(LabelError, match="JSON object"):
        read_table(table(tmp_path / "n.json", "{}"))
    with pytest.raises(CorruptFileError, match="not valid JSON"):
        read_table(table(tmp_path / "n.json", "liver = 3"))
    with pytest.raises(NothingToDoError):
        read_table(tmp_path / "missing.json")
