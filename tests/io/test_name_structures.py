"""Names of a model's classes to our structures."""

import pytest

from surgplan.errors import LabelError
from surgplan.io import name_structures
from surgplan.volume import HEPATIC_VEINS, LIVER, PORTAL_VEIN, RIGHT_KIDNEY


def test_names_of_a_well_known_model_need_no_table() -> None:
    names = ("liver", "kidney_right", "portal_vein_and_splenic_vein", "heart")
    found = name_structures(names, what="the model")
    assert list(found.values()) == [LIVER, RIGHT_KIDNEY, PORTAL_VEIN, None]


def test_a_table_says_what_a_name_does_not(tmp_path) -> None:
    table = tmp_path / "names.json"
    table.write_text('{"hepatic vessel": "hepatic veins", "class_9": "ignore"}')
    found = name_structures(("liver", "hepatic vessel", "class_9"), what="the model", table=table)
    assert found == {"liver": LIVER, "hepatic vessel": HEPATIC_VEINS, "class_9": None}


def test_what_nobody_explained_or_nobody_has_is_refused(tmp_path) -> None:
    with pytest.raises(LabelError, match="class_9"):
        name_structures(("liver", "class_9"), what="the model")
    table = tmp_path / "names.json"
    table.write_text('{"spleeen": "spleen"}')
    with pytest.raises(LabelError, match="no part called"):
        name_structures(("liver",), what="the model", table=table)
