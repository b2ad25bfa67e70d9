import errno
import json
import os

import pytest

from surgplan.errors import OutputError, UsageError
from surgplan.io import atomic_file, write_json


def test_a_file_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "a.nii.gz"
    with atomic_file(target) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == tmp_path, "a rename is atomic only inside one folder"
        assert temporary.name.endswith(".nii.gz"), "writers choose their format by the suffix"
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failed_block_leaves_the_older_file_and_nothing_else(tmp_path, problem):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write() -> None:
        with atomic_file(target) as temporary:
            temporary.write_text("half")
            raise problem

    with pytest.raises(OutputError if problem is OSError else problem):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_missing_folders_are_made(tmp_path):
    write_json({}, tmp_path / "a" / "b" / "c.json")
    assert (tmp_path / "a" / "b" / "c.json").exists()


def test_a_file_where_a_folder_should_be_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/a.json.*choose a folder"):
        write_json({}, tmp_path / "file" / "a.json")


def test_a_folder_under_the_wanted_name_is_refused(tmp_path):
    with pytest.raises(OutputError, match="it is a folder; give the name of a file in it"):
        write_json({}, tmp_path)


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device; .* has room"):
        write_json({"a": 1}, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rename_is_an_output_error_and_leaves_nothing(tmp_path, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(OutputError, match="Read-only file system"):
        write_json({"a": 1}, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot write"), atomic_file(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_flushed_to_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("fsync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("replace"), replace(a, b)))
    write_json({}, tmp_path / "a.json")
    assert done == ["fsync", "replace", "fsync"]


def test_json_is_the_same_bytes_each_time_and_keeps_the_order_of_keys(tmp_path):
    content = {"b": 1, "a": ["Grün", 0.1, None, True]}
    write_json(content, tmp_path / "1.json")
    write_json(content, tmp_path / "2.json")
    text = (tmp_path / "1.json").read_bytes()
    assert text == (tmp_path / "2.json").read_bytes()
    assert json.loads(text) == content
    assert text.index(b'"b"') < text.index(b'"a"')
    assert "Grün".encode() in text
    assert text.endswith(b"}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_json_of_what_json_cannot_say_is_refused_before_the_disk_is_touched(tmp_path, value):
    with pytest.raises(UsageError, match="plain finite values"):
        write_json({"volume_ml": value}, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []
