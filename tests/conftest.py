"""Settings of the whole suite: steady property tests, napari's own settings file, no open files."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=500)
settings.load_profile("steady")  # the plugin's --hypothesis-profile=explore comes later and wins

_NAPARI_FOLDER = tempfile.TemporaryDirectory(prefix="surgplan-napari-")
# Read when napari is imported, and only a name that ends in .yaml or .json can be saved.
os.environ["NAPARI_CONFIG"] = str(Path(_NAPARI_FOLDER.name) / "settings.yaml")

# What is kept for the user, measured timings and added models, stays out of the user's own folders.
# Matplotlib's list of fonts takes long to make and stays where it is.
_CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
os.environ.setdefault("MPLCONFIGDIR", str(Path(_CACHE) / "matplotlib"))
_USER_FOLDER = tempfile.TemporaryDirectory(prefix="surgplan-user-")
for _variable in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
    os.environ[_variable] = str(Path(_USER_FOLDER.name) / _variable.lower())

_DESCRIPTORS = Path("/proc/self/fd")


def pytest_unconfigure() -> None:
    _NAPARI_FOLDER.cleanup()
    _USER_FOLDER.cleanup()


def open_files_under(folder: Path) -> list[Path]:
    """Files below a folder that this process holds open; Linux only, elsewhere always none."""
    if sys.platform != "linux":
        return []
    found = []
    for descriptor in _DESCRIPTORS.iterdir():
        try:
            target = descriptor.readlink()
        except OSError:  # closed since it was listed
            continue
        if target.is_relative_to(folder):
            found.append(target)
    return sorted(found)


@pytest.fixture(autouse=True)
def _no_file_left_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp()
    before = open_files_under(folder)
    yield
    left = [path for path in open_files_under(folder) if path not in before]
    assert not left, f"the test ended with files still open: {[str(path) for path in left]}"
