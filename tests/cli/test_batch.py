"""`surgplan batch` on a good and a broken study."""

from __future__ import annotations

from pathlib import Path


def test_a_broken_scan_is_told_and_the_rest_is_done(surgplan_cli, inputs, tmp_path) -> None:
    (tmp_path / "broken.nii.gz").write_bytes((inputs / "scan.nii.gz").read_bytes()[:200])
    manifest = tmp_path / "list.csv"
    labels = inputs / "labels.nii.gz"
    manifest.write_text(
        f"scan,name,labels,modality\n{inputs / 'scan.nii.gz'},good,{labels},\n"
        f"broken.nii.gz,bad,{labels},ct\n"
    )
    out = tmp_path / "out"
    told = surgplan_cli("batch", manifest, out, "--json")
    assert told.code == 8, told.err
    studies = {s["name"]: s for s in told.answer["studies"]}
    assert studies["good"]["state"] == "done"
    assert studies["bad"]["exit_code"] == 3
    assert "broken.nii.gz" in studies["bad"]["message"]
    assert (out / "good" / "report.html").is_file()
    assert (out / "previews" / "good.jpg").is_file()
    assert Path(told.answer["summary"]).is_file()
    again = surgplan_cli("batch", manifest, out, "--json")
    assert [s["state"] for s in again.answer["studies"]] == ["kept", "failed"]


def test_nothing_to_do_ends_with_4(surgplan_cli, tmp_path) -> None:
    assert surgplan_cli("batch", tmp_path, tmp_path / "out").code == 4
