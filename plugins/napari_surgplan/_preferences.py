"""What a user prefers, kept between sessions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from surgplan.errors import SurgplanError
from surgplan.io import read_json, write_json


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """Settings of the plugin.

    Attributes
    ----------
    model
        Name of a shipped model or folder of a bundle; empty takes the default.
    device
        ``'cpu'``, ``'cuda'`` or ``'mps'``.
    threads
        CPU threads; 0 leaves the choice to the library.
    crosshair
        Colour of the crosshair.
    outline
        Width of outlines on slices, in voxels; 0 fills them.
    four_views
        Whether a scan opens in four views.
    """

    model: str = ""
    device: str = "cpu"
    threads: int = 0
    crosshair: str = "#5ad1e6"
    outline: int = 1
    four_views: bool = True

    @classmethod
    def read(cls) -> Preferences:
        """Those last written; what is missing or makes no sense has its default."""
        path = preferences_path()
        try:
            stored: Any = read_json(path) if path.is_file() else {}
        except SurgplanError:
            stored = {}
        standard = asdict(cls())
        known = {
            name: stored[name]
            for name, value in standard.items()
            if isinstance(stored, dict) and type(stored.get(name)) is type(value)
        }
        return cls(**{**standard, **known})

    def write(self) -> None:
        """Keep them. Raises `OutputError` if the folder cannot be written."""
        write_json(asdict(self), preferences_path())


def preferences_path() -> Path:
    """The file."""
    return user_config_path("surgplan", appauthor=False) / "napari.json"
