"""Which scans a batch is about: those in a folder, or the lines of a CSV manifest."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from surgplan.errors import CorruptFileError, InputRefusedError, NothingToDoError

SCAN_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip", ".dcm")
LABEL_SUFFIX = ".seg.nrrd"
COLUMNS = ("scan", "name", "labels", "modality", "series")


@dataclass(frozen=True, kw_only=True)
class Study:
    """One scan of a batch.

    Attributes
    ----------
    name
        Of its folder in the output; letters, digits, dots, dashes and underscores.
    scan
        DICOM folder, zip or image file.
    labels
        An existing segmentation to take instead of a network, or None.
    modality
        ``'ct'`` or ``'mr'`` where the file does not say, or None.
    series
        SeriesInstanceUID or its beginning, or None.
    """

    name: str
    scan: Path
    labels: Path | None = None
    modality: str | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-][\w.-]{0,99}", self.name):
            msg = f"a study's name must be letters, digits, '.', '-' or '_', got {self.name!r}"
            raise InputRefusedError(msg)
        if self.modality not in (None, "ct", "mr"):
            msg = f"`modality` of study {self.name!r} must be ct or mr, got {self.modality!r}"
            raise InputRefusedError(msg)

    def stamp(self) -> list[list[object]]:
        """Name, size and time of every input file: changes when an input does."""
        files: list[Path] = []
        for path in filter(None, (self.scan, self.labels)):
            files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        stats = [(p, p.stat()) for p in files if p.exists()]
        return [[p.name, s.st_size, s.st_mtime_ns] for p, s in stats]


def read_studies(inputs: Path) -> tuple[Study, ...]:
    """The studies of a folder or of a manifest, by name.

    In a folder every image file, zip and sub-folder is one study, named after it. A manifest is a
    CSV file with the column ``scan`` and, as wanted, ``name``, ``labels``, ``modality`` and
    ``series``; its paths are relative to its own folder.

    Raises
    ------
    NothingToDoError
        If there is no study.
    InputRefusedError
        If two studies have one name, or the manifest has no ``scan`` or an unknown column.
    """
    if inputs.is_dir():
        studies = [Study(name=_name_of(p), scan=p) for p in sorted(_scans_in(inputs))]
    elif inputs.is_file():
        studies = list(_manifest(inputs))
    else:
        msg = f"no studies at {inputs}: give a folder of scans or a CSV manifest"
        raise NothingToDoError(msg)
    if not studies:
        msg = f"no scan in {inputs}: it holds no folder and no file {', '.join(SCAN_SUFFIXES)}"
        raise NothingToDoError(msg)
    names = [s.name.casefold() for s in studies]  # some file systems do not tell case apart
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        msg = f"two studies are called {twice[0]!r}; name them in a CSV manifest (scan,name)"
        raise InputRefusedError(msg)
    return tuple(studies)


def _scans_in(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        lower = path.name.lower()
        if path.is_dir() or (lower.endswith(SCAN_SUFFIXES) and not lower.endswith(LABEL_SUFFIX)):
            yield path


def _name_of(path: Path) -> str:
    stem = path.name
    for suffix in SCAN_SUFFIXES:
        if path.is_file() and stem.lower().endswith(suffix):
            stem = stem[: -len(suffix)]
            break
    return re.sub(r"[^\w.-]+", "_", stem).lstrip(".") or "scan"


def _manifest(path: Path) -> Iterator[Study]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        msg = f"{path.name} is no CSV manifest: {e}; give a table with the column scan"
        raise CorruptFileError(msg) from e
    head: Sequence[str] = [k for k in (rows[0] if rows else {}) if k is not None]
    unknown = sorted(set(head) - set(COLUMNS))
    if rows and ("scan" not in head or unknown):
        msg = f"a manifest has the columns {', '.join(COLUMNS)}, scan always; got {', '.join(head)}"
        raise InputRefusedError(msg)
    for row in rows:
        scan = path.parent / row["scan"]
        labels = row.get("labels")
        yield Study(
            name=row.get("name") or _name_of(scan),
            scan=scan,
            labels=path.parent / labels if labels else None,
            modality=(row.get("modality") or "").lower() or None,
            series=row.get("series") or None,
        )
