"""The folder of one patient's plan: files, how they came about, and what is still to be done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import (
    CorruptFileError,
    NothingToDoError,
    OutputError,
    ScanMismatchError,
)
from surgplan.io._atomic import write_json
from surgplan.io._case_inputs import CaseInput, software
from surgplan.io._case_manifest import MANIFEST, SCHEMA, SCHEMA_VERSION, checked
from surgplan.io._case_stage import Stage, publish, sweep, workplace
from surgplan.io._guard import read_json, sha256_of
from surgplan.io._label_doors import read_couinaud, read_label_map
from surgplan.io._nifti import read_nifti, read_scalar_map
from surgplan.io._vessel_file import read_vessels
from surgplan.planning import VesselTree
from surgplan.volume import Geometry, LabelMap, Volume

IMAGE = "image.nii.gz"
LABELS = "labels.nii.gz"
LABELS_FOR_SLICER = "labels.seg.nrrd"
CONFIDENCE = "confidence.nii.gz"
COUINAUD_LABELS = "couinaud.nii.gz"
TERRITORIES = "territories.nii.gz"
VESSELS = "vessels.json"
SURFACES = "surfaces"
SCENE = "scene.glb"
PLANS = "plans"
REPORT = "report.html"


@dataclass(frozen=True, kw_only=True)
class Case:
    """The case folder. What it says lies on the disk; this is a handle on it.

    ``case.json`` names the inputs with sha256, the versions of the software, the model, and each
    stage with its state, settings, what it needed and what it wrote, all with sha256.

    Attributes
    ----------
    folder
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as home:
    ...     scan = Path(home) / "scan.txt"
    ...     _ = scan.write_text("stands for a scan")
    ...     case = Case.create(Path(home) / "case", inputs={"scan": scan})
    ...     with case.stage("report", settings={"pages": 1}) as stage:
    ...         _ = stage.path(REPORT).write_text("<p>Not a medical device</p>")
    ...     case.is_done("report", settings={"pages": 1}), case.is_done("report")
    (True, False)
    """

    folder: Path

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        inputs: Mapping[str, Path | str],
        model: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> Case:
        """Make a new case, or go on with one.

        Parameters
        ----------
        path
            The folder; it must be empty or not yet there, unless ``resume`` is given.
        inputs
            Role (``'scan'``, ``'labels'``) to path.
        model
            Name, version and sha256 of the model used, None without one.
        resume
            Go on with an existing case. Leftovers of an interrupted run are removed.

        Raises
        ------
        OutputError
            If the folder is a case already, holds other things, or cannot be written.
        ScanMismatchError
            If the existing case was made of other inputs.
        NothingToDoError
            If an input is not there.
        """
        folder = Path(path)
        sums = [CaseInput.of(role, source).to_dict() for role, source in inputs.items()]
        if (folder / MANIFEST).exists():
            if not resume:
                msg = f"{folder} is a case already; go on with `resume=True` or name another folder"
                raise OutputError(msg)
            case = cls(folder=folder)
            case._go_on(sums, model)
            return case
        _check_free(folder)
        case = cls(folder=folder)
        write_json(
            {
                "schema": SCHEMA,
                "schema_version": SCHEMA_VERSION,
                "notice": NOT_A_MEDICAL_DEVICE,
                "software": software(),
                "model": dict(model) if model else None,
                "inputs": sums,
                "stages": {},
            },
            folder / MANIFEST,
        )
        return case

    @classmethod
    def open(cls, path: Path | str, *, scan: Path | str | None = None) -> Case:
        """Open a case and verify every file that a finished stage wrote.

        Parameters
        ----------
        path
            The folder.
        scan
            The scan that the case must have been made of; None does not ask.

        Raises
        ------
        NothingToDoError
            If there is no case.
        CorruptFileError
            If a file is missing or was changed, or ``case.json`` cannot be read.
        ScanMismatchError
            If the case was made of another scan.
        """
        case = cls(folder=Path(path))
        done = {n: s for n, s in case.manifest["stages"].items() if s["state"] == "done"}
        for name, stage in done.items():
            for output, wanted in stage["outputs"].items():
                if not (case.folder / output).is_file():
                    msg = (
                        f"{case.folder} lacks {output} of its {name}; `surgplan run` makes it again"
                    )
                    raise CorruptFileError(msg)
                if sha256_of(case.folder / output) != wanted:
                    msg = (
                        f"{case.folder / output} was changed after surgplan wrote it; take it into "
                        "a new case (`--labels` for a segmentation), or delete it and run again"
                    )
                    raise CorruptFileError(msg)
        if scan is not None:
            case._check_inputs([CaseInput.of("scan", scan).to_dict()])
        return case

    @property
    def manifest(self) -> dict[str, Any]:
        """What ``case.json`` says now.

        Raises `NothingToDoError` if there is none, `CorruptFileError` if it is not one of ours.
        """
        path = self.folder / MANIFEST
        if not path.is_file():
            msg = f"{self.folder} is no case: it has no {MANIFEST}; make one with `surgplan run`"
            raise NothingToDoError(msg)
        content = read_json(path)
        return checked(content, path)

    @property
    def image_path(self) -> Path:
        """The scan on its own grid."""
        return self.folder / IMAGE

    @property
    def labels_path(self) -> Path:
        """The segmentation in our numbers."""
        return self.folder / LABELS

    @property
    def confidence_path(self) -> Path:
        """How sure the model was, 0 to 1 per voxel."""
        return self.folder / CONFIDENCE

    @property
    def couinaud_path(self) -> Path:
        """Couinaud's segments, 1..8 = I..VIII."""
        return self.folder / COUINAUD_LABELS

    @property
    def territories_path(self) -> Path:
        """Which named portal branch feeds each voxel of the liver."""
        return self.folder / TERRITORIES

    @property
    def vessels_path(self) -> Path:
        """The vessel trees."""
        return self.folder / VESSELS

    @property
    def surfaces_path(self) -> Path:
        """The folder of surfaces."""
        return self.folder / SURFACES

    @property
    def scene_path(self) -> Path:
        """All surfaces as one scene."""
        return self.folder / SCENE

    @property
    def plans_path(self) -> Path:
        """The folder of plans."""
        return self.folder / PLANS

    @property
    def report_path(self) -> Path:
        """The report."""
        return self.folder / REPORT

    def read_image(self) -> Volume:
        """The scan; raises as `read_nifti`."""
        return read_nifti(self.image_path)

    def read_labels(self) -> LabelMap:
        """The segmentation; raises as `read_label_map`."""
        return read_label_map(self.labels_path)

    def read_couinaud(self) -> LabelMap | None:
        """Couinaud's segments, None where they were not found; raises as `read_couinaud`."""
        return read_couinaud(self.couinaud_path) if self.couinaud_path.exists() else None

    def read_vessels(self) -> tuple[VesselTree, ...]:
        """The vessel trees, none where there are none; raises as `read_vessels`."""
        return read_vessels(self.vessels_path) if self.vessels_path.exists() else ()

    def read_confidence(self) -> tuple[npt.NDArray[np.float32], Geometry] | None:
        """The confidence and its grid, None where labels were given instead of computed."""
        return read_scalar_map(self.confidence_path) if self.confidence_path.exists() else None

    def plan_paths(self) -> tuple[Path, ...]:
        """Plan files, by name."""
        found = self.plans_path.glob("*.json")
        return tuple(sorted(p for p in found if not p.name.endswith(".mrk.json")))

    def is_done(
        self, name: str, *, settings: Mapping[str, Any] | None = None, needs: Sequence[str] = ()
    ) -> bool:
        """Whether a stage can be skipped.

        That is when it ended with the same settings and version of surgplan, on the same needed
        files, and all that it wrote is there unchanged.
        """
        stage = self.manifest["stages"].get(name)
        if not stage or stage["state"] != "done" or stage["settings"] != _plain(settings):
            return False
        if stage["version"] != __version__:
            return False
        wanted = {**stage["needs"], **stage["outputs"]}
        return list(stage["needs"]) == list(needs) and all(
            (self.folder / file).is_file() and sha256_of(self.folder / file) == sha256
            for file, sha256 in wanted.items()
        )

    @contextmanager
    def stage(
        self, name: str, *, settings: Mapping[str, Any] | None = None, needs: Sequence[str] = ()
    ) -> Iterator[Stage]:
        """Do a stage: its files appear in the case when the block ends well, else none does.

        Its state is ``running`` until then, and stays so if the block fails.

        Parameters
        ----------
        name
            What to call it in ``case.json``.
        settings
            Plain values that its outputs depend on.
        needs
            Files of the case that they depend on.

        Yields
        ------
        Stage
            Says where to write.

        Raises
        ------
        CorruptFileError
            If an earlier output was changed by hand, and would be lost.
        NothingToDoError
            If a needed file is missing.
        OutputError
            If the folder cannot be written.
        """
        before = self.manifest["stages"].get(name, {"state": "pending", "outputs": {}})
        if before["state"] == "done":
            self._keep_edits(before["outputs"])
        record = {
            "state": "running",
            "version": __version__,
            "settings": _plain(settings),
            "needs": {file: self._sum_of_needed(name, file) for file in needs},
            "facts": {},
            "outputs": before["outputs"],
        }
        self._record(name, record)
        with workplace(self.folder) as work:
            stage = Stage(folder=work)
            yield stage
            outputs = publish(work, self.folder, before=before["outputs"])
        self._record(name, record | {"state": "done", "facts": stage.facts, "outputs": outputs})

    def facts(self, name: str) -> dict[str, Any]:
        """What a finished stage noted; empty for a stage that is not done."""
        stage = self.manifest["stages"].get(name, {"state": "pending"})
        return dict(stage["facts"]) if stage["state"] == "done" else {}

    def _record(self, name: str, record: dict[str, Any]) -> None:
        manifest = self.manifest
        manifest["stages"][name] = record
        write_json(manifest, self.folder / MANIFEST)

    def _go_on(self, given: Sequence[Mapping[str, Any]], model: Mapping[str, Any] | None) -> None:
        """Check that the case is of these inputs, and clean up behind an interrupted run."""
        manifest = self.manifest
        roles = {i["role"] for i in manifest["inputs"]}
        missing = roles - {i["role"] for i in given}
        if missing:
            msg = f"{self.folder} was made with {', '.join(missing)} given; give the same again"
            raise ScanMismatchError(msg)
        self._check_inputs(given)
        sweep(self.folder)
        own = {"software": software(), "model": dict(model) if model else None}
        write_json(manifest | own, self.folder / MANIFEST)

    def _check_inputs(self, given: Sequence[Mapping[str, Any]]) -> None:
        made_of = {i["role"]: i for i in self.manifest["inputs"]}
        for one in given:
            own = made_of.get(one["role"], {"name": "nothing", "sha256": ""})
            if own["sha256"] != one["sha256"]:
                msg = (
                    f"{self.folder} was made of another {one['role']} ({own['name']}), not of "
                    f"{one['name']} with sha256 {one['sha256'][:12]}; name another folder"
                )
                raise ScanMismatchError(msg)

    def _keep_edits(self, outputs: dict[str, str]) -> None:
        for file, sha256 in outputs.items():
            path = self.folder / file
            if path.exists() and sha256_of(path) != sha256:
                msg = f"{path} was changed after surgplan wrote it; move it away, then run again"
                raise CorruptFileError(msg)

    def _sum_of_needed(self, stage: str, file: str) -> str:
        path = self.folder / file
        if not path.is_file():
            msg = f"{stage} needs {path}, which is not there; run the stages before it"
            raise NothingToDoError(msg)
        return sha256_of(path)


def _plain(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings as JSON gives them back: tuples become lists."""
    content: dict[str, Any] = json.loads(json.dumps(dict(settings or {})))
    return content


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name a folder for the case"
        raise OutputError(msg)
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty and no case; name a new folder, so that nothing is lost"
        raise OutputError(msg)
