from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import GeometryMismatchError, OutputError, ScanMismatchError, UsageError
from surgplan.report import SCHEMA, ReportInput, _pdf, _pictures, _write, write_report
from surgplan.report._offscreen import Drawn
from surgplan.report._table import ml, mm, percent
from surgplan.report._vessel_tables import works
from surgplan.volume import LIVER_TUMOUR, Geometry, LabelMap, Volume

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'><img src=http://x/y onerror=alert(2)>&{{ 7*7 }}"

ReadPage = Callable[[str], Any]

pytestmark = pytest.mark.usefixtures("no_graphics")


@pytest.fixture(scope="module")
def written(
    case: ReportInput, tmp_path_factory: pytest.TempPathFactory, read_page: ReadPage
) -> tuple[dict[str, Any], Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pictures, "draw_views", lambda views: Drawn(reason="no OpenGL here"))
        result = write_report(case, tmp_path_factory.mktemp("report"), created=CREATED)
    facts = json.loads(result.json.read_text(encoding="utf-8"))
    return facts, read_page(result.html.read_text(encoding="utf-8"))


def test_the_json_holds_the_numbers_of_the_assessment(
    case: ReportInput, written: tuple[dict[str, Any], Any]
) -> None:
    facts, _ = written
    assert facts["schema"] == SCHEMA
    for plan, told in zip(case.plans, facts["plans"], strict=True):
        assessment = plan.assessment
        assert told["smallest_margin_mm"] == assessment.smallest_margin_mm
        assert told["flr_percent"] == assessment.flr_percent
        assert told["flags"] == list(assessment.flags)
        assert [q["value"] for q in told["quantities"]] == [
            q.value for q in assessment.quantities()
        ]
        assert [t["margin_mm"] for t in told["tumours"]] == [
            t.margin_mm for t in assessment.tumours
        ]
        assert [c["source"] for c in told["remnant_checks"]] == [
            v.source for v in assessment.verdicts
        ]
    assert facts["whole_liver_ml"] == pytest.approx(case.plans[0].assessment.total_ml, rel=1e-9)


def test_the_page_shows_the_numbers_of_the_json(written: tuple[dict[str, Any], Any]) -> None:
    facts, page = written
    for plan in facts["plans"]:
        assert plan["title"] in page.text
        for shown in (
            mm(plan["smallest_margin_mm"]),
            percent(plan["flr_percent"]),
            ml(plan["remnant_functional_ml"]),
            f"{works(plan['function'])} that keeps supply and drainage",
            *(f"{q['name']} {ml(q['value'])}" for q in plan["quantities"] if q["unit"] == "ml"),
            *(f"{s['name']} {mm(s['distance_mm'])}" for s in plan["structures"]),
            *(check["source"] for check in plan["remnant_checks"]),
            *plan["flags"],
        ):
            assert shown in page.text
        assert "not assessed: no hepatic veins in the labels" in plan["not_assessed"]
        for words in plan["not_assessed"]:  # with the function of the remnant and with the vessels
            assert page.text.count(words) >= 2 * len(facts["plans"])
    for structure in facts["structures"]:
        assert f"{structure['name']} {ml(structure['volume_ml'])}" in page.text


def test_only_a_plan_that_clears_tumours_and_keeps_liver_is_called_feasible(
    written: tuple[dict[str, Any], Any],
) -> None:
    facts, page = written
    wedge, near, far = facts["plans"]
    assert wedge["standing"] in ("feasible", "feasible with flags")
    assert near["standing"] == far["standing"] == "not feasible"
    assert [plan["tumours"][0]["cleared"] for plan in (wedge, near, far)] == [True, False, False]
    assert far["smallest_margin_mm"] > 10  # far from the cut, but on the wrong side
    cards = [e["class"] for e in page.all("article")]
    assert cards[0] in ("card yes", "card care")
    assert cards[1:] == ["card no", "card no"]


def test_it_says_that_it_is_not_a_medical_device_and_not_registered(
    written: tuple[dict[str, Any], Any],
) -> None:
    facts, page = written
    assert page.text.count(NOT_A_MEDICAL_DEVICE) >= 2
    assert facts["not_a_medical_device"] == NOT_A_MEDICAL_DEVICE
    assert facts["not_registered"] in page.text


def test_the_page_stands_alone(written: tuple[dict[str, Any], Any]) -> None:
    _, page = written
    addresses = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("src", "href", "srcset", "data", "action", "poster")
        if name in attributes
    ]
    assert all(a.startswith(("data:image/jpeg;base64,", "#")) for a in addresses)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "base"}
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")


def test_every_picture_has_words_and_every_table_headings(
    written: tuple[dict[str, Any], Any],
) -> None:
    _, page = written
    assert all(attributes["alt"].strip() for attributes in page.all("img"))
    assert all(attributes["scope"] in ("row", "col") for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) > 0
    assert page.all("html")[0]["lang"] == "en"


def test_pictures_decode_and_are_not_blank(written: tuple[dict[str, Any], Any]) -> None:
    _, page = written
    pictures = page.pictures()
    assert len(pictures) == 4  # the tumour, and its margin in three plans
    assert all(pixels.std() > 20 for _, pixels in pictures)


def test_nothing_a_case_is_called_becomes_markup(
    case: ReportInput, tmp_path: Path, read_page: ReadPage
) -> None:
    evil = replace(
        case,
        case_name=EVIL,
        volume=replace(case.volume, identity=EVIL),
        provenance={EVIL: [{"name": EVIL}], "warnings": [EVIL]},
    )
    result = write_report(evil, tmp_path, created=CREATED)
    page = read_page(result.html.read_text(encoding="utf-8"))
    assert not page.all("script")
    assert all(a["src"].startswith("data:") for a in page.all("img"))
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert page.text.count(EVIL) >= 4
    assert json.loads(result.json.read_text(encoding="utf-8"))["case_name"] == EVIL


def test_the_same_input_gives_the_same_files_but_for_the_date(
    case: ReportInput, tmp_path: Path
) -> None:
    first = write_report(case, tmp_path / "a", created=CREATED)
    again = write_report(case, tmp_path / "b", created=CREATED)
    later = write_report(case, tmp_path / "c", created=CREATED.replace(hour=5))
    for name in ("html", "json"):
        one, two, three = (getattr(r, name).read_bytes() for r in (first, again, later))
        assert one == two
        assert one != three
        assert (
            one.replace(b"2026-01-02T03", b"2026-01-02T05").replace(
                b"2026-01-02 03", b"2026-01-02 05"
            )
            == three
        )


def test_without_graphics_the_page_says_why_there_are_no_views(
    written: tuple[dict[str, Any], Any],
) -> None:
    facts, page = written
    assert facts["pictures"]["no_3d_because"] == "no OpenGL here"
    assert "No 3D pictures: no OpenGL here." in page.text


def test_a_case_without_plans_is_reported(
    case: ReportInput, tmp_path: Path, read_page: ReadPage
) -> None:
    result = write_report(replace(case, plans=()), tmp_path)
    page = read_page(result.html.read_text(encoding="utf-8"))
    assert "No resection is planned in this case." in page.text
    assert "Comparison" not in page.text
    assert len(page.pictures()) == 1


def test_a_case_without_tumours_is_reported(
    grid: Geometry,
    anatomy_on: Callable[..., LabelMap],
    scan_of: Callable[[Geometry, LabelMap], Volume],
    tmp_path: Path,
    read_page: ReadPage,
) -> None:
    labels = anatomy_on(grid, tumour=False)
    plain = ReportInput(
        volume=scan_of(grid, labels), label_map=labels, surfaces=(), plans=(), provenance={}
    )
    page = read_page(write_report(plain, tmp_path).html.read_text(encoding="utf-8"))
    assert "No liver tumour is labelled." in page.text
    assert "No 3D pictures: no surfaces were made of this scan." in page.text
    assert len(page.pictures()) == 1


def test_a_case_without_liver_is_reported(case: ReportInput, tmp_path: Path) -> None:
    nothing = case.label_map.with_array(np.zeros_like(case.label_map.array))
    empty = replace(case, label_map=nothing, plans=(), surfaces=())
    result = write_report(empty, tmp_path)
    assert "No liver is labelled" in result.html.read_text(encoding="utf-8")


def test_confidence_is_named_and_low_confidence_warned_of(
    case: ReportInput, tmp_path: Path, read_page: ReadPage
) -> None:
    confidence = np.full(case.label_map.array.shape, 0.95, dtype=np.float32)
    confidence[case.label_map.mask(LIVER_TUMOUR)] = 0.5
    result = write_report(replace(case, confidence=confidence), tmp_path)
    facts = json.loads(result.json.read_text(encoding="utf-8"))
    values = {s["name"]: s["mean_confidence"] for s in facts["structures"]}
    assert values["liver tumour"] == pytest.approx(0.5)
    assert values["liver parenchyma"] == pytest.approx(0.95)
    warned = [w for w in facts["warnings"] if "unsure" in w]
    assert len(warned) == 1
    assert "liver tumour" in warned[0]
    assert warned[0] in read_page(result.html.read_text(encoding="utf-8")).text


def test_pdf_is_made_only_where_its_library_is(
    case: ReportInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(case, plans=())
    monkeypatch.setattr(_write, "pdf_of", lambda html: b"%PDF of " + html[:15].encode())
    with_pdf = write_report(plain, tmp_path)
    assert with_pdf.pdf is not None
    assert with_pdf.pdf.read_bytes() == b"%PDF of <!DOCTYPE html>"
    monkeypatch.setattr(_write, "pdf_of", lambda html: None)
    without = write_report(plain, tmp_path)
    assert without.pdf is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert json.loads(without.json.read_text(encoding="utf-8"))["pdf"] == _pdf.NEEDS


def test_a_plan_of_another_scan_is_refused(case: ReportInput) -> None:
    other = case.volume.with_array(case.volume.array + np.int16(1))
    with pytest.raises(ScanMismatchError, match="'wedge' was made on another scan"):
        replace(case, volume=other)


def test_a_label_map_on_another_grid_is_refused(case: ReportInput) -> None:
    moved = case.label_map.geometry.affine.copy()
    moved[0, 3] += 1
    labels = replace(
        case.label_map, geometry=Geometry(shape=case.label_map.geometry.shape, affine=moved)
    )
    with pytest.raises(GeometryMismatchError, match="share a grid"):
        replace(case, label_map=labels, plans=())


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan])
def test_a_confidence_outside_0_to_1_is_refused(case: ReportInput, value: float) -> None:
    confidence = np.full(case.label_map.array.shape, 0.5, dtype=np.float32)
    confidence[0, 0, 0] = value
    with pytest.raises(UsageError, match=r"`confidence` must lie in 0\.\.1"):
        replace(case, confidence=confidence)


def test_two_plans_of_one_name_are_refused(case: ReportInput) -> None:
    with pytest.raises(UsageError, match="different names"):
        replace(case, plans=(case.plans[0], case.plans[0]))


def test_a_folder_that_cannot_be_made_is_one_error_and_nothing_written(
    case: ReportInput, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(replace(case, plans=()), tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
