"""The tab in which a scan or a case is opened."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_surgplan._load import is_segmentation, load
from napari_surgplan._sample import sample_case, sample_scan
from napari_surgplan._session import Session
from napari_surgplan._work import Job, start

FILES = "Scans and structures (*.nii *.nii.gz *.nrrd *.mha *.mhd *.zip *.dcm *.seg.nrrd);;All (*)"
_SOON_MS = 100
"""What is dropped together comes within this time."""
EMPTY = "No scan is open. Open one, or take the sample to look around."


class OpenTab(QWidget):
    """Files, folders, the sample, and what is open."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        self.session = session
        self._waiting: list[Path] = []
        self._job: Job | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SOON_MS)
        self._soon.timeout.connect(self._open_next)
        self.file = _button(
            "Open file…", "NIfTI, NRRD, MHA, zip of DICOM, segmentation", "Ctrl+Shift+F"
        )
        self.folder = _button(
            "Open folder…", "DICOM folder, or a case folder to go on with", "Ctrl+Shift+D"
        )
        self.sample = _button(
            "Open the sample", "A liver with tumours, made by computation", "Ctrl+Shift+E"
        )
        self.facts = QLabel(EMPTY)
        self.facts.setWordWrap(True)
        layout = QVBoxLayout(self)
        for widget in (self.file, self.folder, self.sample, self.facts):
            layout.addWidget(widget)
        layout.addStretch()
        self.file.clicked.connect(self._ask_file)
        self.folder.clicked.connect(self._ask_folder)
        self.sample.clicked.connect(lambda: self.open_sample())
        session.scan_changed.connect(self._describe)
        session.labels_changed.connect(self._describe)
        self._describe()

    def open(self, path: Path | str) -> None:
        """Read on a worker what lies at a path, and show it."""
        self._waiting.append(Path(path))
        self._open_next()

    def drop(self, path: Path) -> None:
        """Open it in a moment: what comes along is opened too, scans before their structures."""
        self._waiting.append(path)
        self._waiting.sort(key=is_segmentation)
        self._soon.start()

    def _open_next(self) -> None:
        if not self._waiting or (self._job is not None and self._job.running):
            return
        path = self._waiting.pop(0)
        work = partial(_load, path, self.session)
        self._job = start(self.session, work, title=f"Opening {path.name}", done=self.session.take)
        self._job.ended.connect(self._soon.start)

    def _ask_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a scan or its structures", "", FILES)
        if name:
            self.open(name)

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a DICOM folder or a case")
        if name:
            self.open(name)

    def open_sample(self, *, bare: bool = False) -> None:
        """Show the sample, bare without its structures."""
        start(
            self.session,
            lambda progress: sample_scan() if bare else sample_case(progress=progress),
            title="Opening the sample",
            done=self.session.take,
        )

    def _describe(self) -> None:
        volume = self.session.volume
        if volume is None:
            self.facts.setText(EMPTY)
            return
        slices, rows, columns = volume.geometry.shape
        spacing = " x ".join(f"{s:.2f}" for s in volume.geometry.spacing_mm)
        lines = [
            f"<b>{volume.modality} scan</b>, {slices} slices of {rows} x {columns}",
            f"Voxels {spacing} mm",
        ]
        if self.session.label_map is None:
            lines.append("<b>Next:</b> find the structures in the tab Anatomy.")
        else:
            found = len(self.session.surfaces)
            lines.append(f"{found} structures. <b>Next:</b> plan the cut in the tab Plan.")
        self.facts.setText("<br>".join(lines))


def _load(path: Path | str, session: Session, progress: Any) -> Any:
    return load(path, session.state, progress=progress)


def _button(text: str, tip: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{tip} ({key})")
    button.setShortcut(key)
    return button
