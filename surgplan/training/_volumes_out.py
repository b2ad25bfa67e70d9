"""Many synthetic scans as a data set in BIDS-like folders, resumable, the same for any workers.

Layout::

    OUT/dataset_description.json   GeneratedBy, licence, that all of it is synthetic
        manifest.json              one row per scan: files with sha256, facts
        preview.png
        sub-synth0000/sub-synth0000_desc-synthetic_ct.nii.gz     or ..._mr.nii.gz
                      sub-synth0000_desc-synthetic_dseg.nii.gz   exact labels
                      lesions.json
                      facts.json        written last: the scan is complete
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import InputRefusedError, LabelError, NothingToDoError, UsageError
from surgplan.io import (
    read_couinaud,
    read_label_map,
    sha256_of,
    write_json,
    write_label_map,
    write_volume,
)
from surgplan.synthesis import (
    Body,
    GateSettings,
    SyntheticVolume,
    VolumeSettings,
    around_liver,
    body_of,
    check_plausible,
    check_volume,
    phantom_body,
    synthesise,
)
from surgplan.training._preview import read_facts, write_preview
from surgplan.volume import SPLEEN, LabelMap

MANIFEST = "manifest.json"
FACTS = "facts.json"
LESIONS = "lesions.json"
PREVIEW = "preview.png"
ATTEMPT_OFFSET = 1_000_000
_PREVIEWED = 12

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """A data set of synthetic scans.

    Attributes
    ----------
    count
        How many scans.
    seed
        Scan ``n`` depends on this, ``n`` and the settings of the scans alone.
    volumes
        What the scans are like.
    labels
        Label maps to make bodies of, one after the other; none makes phantoms. A map of the liver
        alone, or of its Couinaud segments, gets a phantom bent around it.
    workers
        Processes.
    gate
        What each scan must reach when a network segments it; None asks for plausible brightness
        and field of view alone, and is several times faster.
    attempts
        How often a scan that is refused is made anew before it is given up.
    """

    count: int
    seed: int = 0
    volumes: VolumeSettings = VolumeSettings()  # noqa: RUF009 - frozen
    labels: tuple[Path, ...] = ()
    workers: int = 1
    gate: GateSettings | None = GateSettings()  # noqa: RUF009 - frozen
    attempts: int = 5

    def __post_init__(self) -> None:
        if min(self.count, self.workers, self.attempts) < 1 or self.seed < 0:
            msg = "`count`, `workers` and `attempts` must be 1 or more, and `seed` 0 or more"
            raise UsageError(msg)

    def identity(self) -> dict[str, Any]:
        """What decides the voxels, as it comes back from a file; not count or workers."""
        facts = {
            "surgplan": __version__,
            "seed": self.seed,
            "volumes": asdict(self.volumes),
            "labels": [p.name for p in self.labels],
            "gate": None if self.gate is None else asdict(self.gate),
            "attempts": self.attempts,
        }
        found: dict[str, Any] = json.loads(json.dumps(facts))
        return found


def find_label_maps(path: Path) -> tuple[Path, ...]:
    """The file, or all NIfTI and seg.nrrd files of a folder, by name.

    Raises
    ------
    NothingToDoError
        If there is none.
    """
    if path.is_file():
        return (path,)
    endings = (".nii.gz", ".nii", ".nrrd")
    found = sorted(p for p in path.rglob("*") if p.name.lower().endswith(endings))
    if not found:
        msg = f"no label map in {path}: give a file, a folder of .nii.gz files, or 'phantom'"
        raise NothingToDoError(msg)
    return tuple(found)


def generate_volumes(
    settings: DatasetSettings, folder: Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Write a data set, or what is missing of it.

    Parameters
    ----------
    settings
        What to write.
    folder
        Where; scans that are complete there are kept.
    progress
        Called with the fraction done and a word.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    InputRefusedError
        If the folder holds a data set of other settings.
    OutputError
        If the folder cannot be written.
    """
    _claim(settings, folder)
    todo = [n for n in range(settings.count) if not (_scan(folder, n) / FACTS).exists()]
    done = settings.count - len(todo)
    for number in _written(settings, folder, todo):
        done += 1
        if progress:
            progress(done / settings.count, f"scan {number}")
    manifest = _manifest(settings, folder)
    write_json(manifest, folder / MANIFEST)
    shown = [folder / r["folder"] for r in manifest["scans"][:_PREVIEWED]]
    if shown:
        write_preview(shown, folder / PREVIEW)
    return manifest


def stream_volumes(
    settings: DatasetSettings, *, start: int = 0
) -> Iterator[tuple[int, SyntheticVolume]]:
    """The same scans one after the other in memory, for training; nothing is written.

    A scan that is given up is left out.
    """
    for number in range(start, settings.count):
        made, _ = _accepted(settings, number)
        if made is not None:
            yield number, made


def _claim(settings: DatasetSettings, folder: Path) -> None:
    """Make the folder, or see that it holds the beginnings of the same data set."""
    path = folder / "dataset_description.json"
    if path.exists():
        if read_facts(path).get("SurgplanIdentity") != settings.identity():
            msg = f"{folder} holds a data set of other settings or version; choose another folder"
            raise InputRefusedError(msg)
        return
    write_json(
        {
            "Name": "surgplan synthetic scans",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0-1.0",
            "Synthetic": True,
            "Notice": NOT_A_MEDICAL_DEVICE,
            "GeneratedBy": [{"Name": "surgplan synthesize", "Version": __version__}],
            "SurgplanIdentity": settings.identity(),
        },
        path,
    )


def _written(settings: DatasetSettings, folder: Path, todo: list[int]) -> Iterator[int]:
    """Write scans, one process or many; yields the numbers as they are done."""
    if settings.workers == 1 or len(todo) < 2:
        for number in todo:
            yield _write(settings, folder, number)
        return
    context = get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(
        min(settings.workers, len(todo)), mp_context=context, initializer=_one_thread
    ) as pool:
        jobs = [pool.submit(_write, settings, folder, number) for number in todo]
        for job in as_completed(jobs):
            yield job.result()


def _one_thread() -> None:
    torch.set_num_threads(1)


def _scan(folder: Path, number: int) -> Path:
    return folder / f"sub-synth{number:04d}"


def _write(settings: DatasetSettings, folder: Path, number: int) -> int:
    """One scan; its facts are written last. A scan that is given up has facts alone."""
    made, refusals = _accepted(settings, number)
    place = _scan(folder, number)
    if made is None:
        write_json({"synthetic": True, "given_up": True, "refusals": refusals}, place / FACTS)
        return number
    kind = made.image.modality.lower()
    image = place / f"{place.name}_desc-synthetic_{kind}.nii.gz"
    labels = place / f"{place.name}_desc-synthetic_dseg.nii.gz"
    write_volume(made.image, image)
    write_label_map(made.label_map, labels)
    write_json(
        {
            "synthetic": True,
            "notice": NOT_A_MEDICAL_DEVICE,
            "unit": "HU" if kind == "ct" else "MR intensity",
            "lesions": [lesion.to_dict() for lesion in made.lesions],
        },
        place / LESIONS,
    )
    files = {p.name: sha256_of(p) for p in (image, labels, place / LESIONS)}
    facts = {"image": image.name, "labels": labels.name, "sha256": files, "refusals": refusals}
    write_json({**made.facts, **facts}, place / FACTS)
    return number


def _accepted(
    settings: DatasetSettings, number: int
) -> tuple[SyntheticVolume | None, list[list[str]]]:
    """The first attempt that is let pass, and why those before it were refused."""
    refusals: list[list[str]] = []
    for attempt in range(settings.attempts):
        made = _make(settings, number, attempt)
        report = check_plausible(made.image, made.label_map)
        if report.passed and settings.gate is not None:
            report = check_volume(made.image, made.label_map, settings.gate)
        if report.passed:
            made.facts["gate"] = report.figures
            return made, refusals
        refusals.append(list(report.reasons))
    return None, refusals


def _make(settings: DatasetSettings, number: int, attempt: int = 0) -> SyntheticVolume:
    body = None
    if settings.labels:
        body = _body(settings.labels[number % len(settings.labels)], settings.seed)
    place = number + attempt * ATTEMPT_OFFSET
    return synthesise(settings.volumes, seed=settings.seed, number=place, body=body)


@lru_cache(maxsize=2)
def _body(path: Path, seed: int) -> Body:
    """A body of a label file: of its own organs, or of a phantom around its liver."""
    found = _read(path)
    if found.find(SPLEEN.code) is not None and found.mask(SPLEEN).any():
        return body_of(found, path.name)
    return around_liver(phantom_body(1000 * seed), found, f"phantom around {path.name}")


def _read(path: Path) -> LabelMap:
    """Anatomy, or Couinaud segments where the folder or the file says so."""
    if "couinaud" in str(path).lower():
        return read_couinaud(path)
    try:
        return read_label_map(path)
    except LabelError as error:
        msg = f"{error} (a map of Couinaud segments needs 'couinaud' in its path)"
        raise LabelError(msg) from error


def _manifest(settings: DatasetSettings, folder: Path) -> dict[str, Any]:
    places = [_scan(folder, number) for number in range(settings.count)]
    found = {place: read_facts(place / FACTS) for place in places}
    written = {place: facts for place, facts in found.items() if not facts.get("given_up")}
    refusals = [reasons for facts in found.values() for reasons in facts["refusals"]]
    kinds = [{reason.partition(":")[0] for reason in reasons} for reasons in refusals]
    return {
        "schema": 1,
        "synthetic": True,
        "notice": NOT_A_MEDICAL_DEVICE,
        **settings.identity(),
        "count": settings.count,
        "refused_attempts": len(refusals),
        "refused_for": dict(Counter(kind for one in kinds for kind in sorted(one)).most_common()),
        "refused_scans": len(found) - len(written),
        "scans": [
            {"folder": place.name, "lesions": len(read_facts(place / LESIONS)["lesions"]), **facts}
            for place, facts in written.items()
        ],
    }
