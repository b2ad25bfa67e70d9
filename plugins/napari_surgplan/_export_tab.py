"""The tab from which files leave: case, report, surfaces, structures, pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_surgplan._export import (
    Export,
    export_case,
    export_dicom_seg,
    export_report,
    export_scan,
    export_scene,
    export_structures,
    export_surfaces,
)
from napari_surgplan._picture import save_picture
from napari_surgplan._session import Session
from napari_surgplan._work import start, tell_error
from surgplan.errors import SurgplanError
from surgplan.io import Case
from surgplan.report import PDF_NEEDS

NO_SCAN = "Nothing to export yet. <b>Next:</b> open a scan in the tab Open."
NO_LABELS = "Structures, surfaces and the report follow once the tab Anatomy has found them."
READY = "Every change is saved by itself in"


@dataclass(frozen=True, kw_only=True)
class Door:
    """A way out: what the button says, where it asks to, and what writes."""

    text: str
    tip: str
    write: Export
    suffixes: str = ""
    key: str = ""
    needs_labels: bool = True


DOORS = (
    Door(text="Report…", tip="HTML, and PDF where installed, into a folder", write=export_report,
         key="Ctrl+Alt+R"),
    Door(text="Case folder…", tip="Everything, to go on elsewhere", write=export_case,
         key="Ctrl+Alt+C", needs_labels=False),
    Door(text="3D scene (GLB)…", tip="All surfaces in one file for any viewer", write=export_scene,
         suffixes="glTF (*.glb)"),
    Door(text="Surfaces (STL)…", tip="One file for each structure, for printing",
         write=export_surfaces),
    Door(text="Structures…", tip="Label map for 3D Slicer or scripts", write=export_structures,
         suffixes="3D Slicer (*.seg.nrrd);;NIfTI (*.nii.gz);;MetaImage (*.mha)"),
    Door(text="Structures (DICOM SEG)…", tip="Segmentation object for a PACS, with its images",
         write=export_dicom_seg),
    Door(text="Scan (NIfTI, NRRD)…", tip="The scan on its own grid", write=export_scan,
         suffixes="NIfTI (*.nii.gz);;NRRD (*.nrrd);;MetaImage (*.mha)", needs_labels=False),
    Door(text="Scan (DICOM)…", tip="One file for each slice, without any patient data",
         write=export_scan, needs_labels=False),
)  # fmt: skip


class ExportTab(QWidget):
    """What can be taken out of the session."""

    def __init__(self, session: Session, viewer: Any) -> None:
        super().__init__()
        self.session = session
        self.viewer = viewer
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.written = QLabel()
        self.written.setWordWrap(True)
        self.written.setOpenExternalLinks(False)
        self.written.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        self.buttons = {door.text: _button(door.text, door.tip, door.key) for door in DOORS}
        self.picture = _button("Picture…", "PNG of the views, with the disclaimer", "Ctrl+Alt+V")
        grid = QGridLayout()
        for place, button in enumerate((*self.buttons.values(), self.picture)):
            grid.addWidget(button, place // 2, place % 2)
        layout = QVBoxLayout(self)
        layout.addWidget(self.hint)
        layout.addLayout(grid)
        layout.addWidget(self.written)
        layout.addStretch()
        for door in DOORS:
            self.buttons[door.text].clicked.connect(partial(self._ask, door))
        self.picture.clicked.connect(self._ask_picture)
        session.scan_changed.connect(self._follow)
        session.labels_changed.connect(self._follow)
        self._follow()

    def export(self, write: Export, target: Path) -> None:
        """Write on a worker, then say where."""
        start(
            self.session,
            lambda progress: write(self.session, target, progress),
            title=f"Writing {target.name}",
            done=partial(self._told, write),
        )

    def save_picture(self, path: Path) -> None:
        """Write what the views show, with the disclaimer, as PNG."""
        try:
            save_picture(self.viewer, path)
        except SurgplanError as e:
            tell_error(self.session, e)
        else:
            self._told(None, path)

    def _ask(self, door: Door) -> None:
        if door.suffixes:
            name, chosen = QFileDialog.getSaveFileName(self, door.tip, "", door.suffixes)
            name = _with_suffix(name, chosen)
        else:
            name = QFileDialog.getExistingDirectory(self, f"{door.tip}: choose or make a folder")
        if name:
            self.export(door.write, Path(name))

    def _ask_picture(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Picture of the views", "", "PNG (*.png)")
        if name:
            self.save_picture(Path(_with_suffix(name, "(*.png)")))

    def _told(self, write: Export | None, path: Path) -> None:
        if write is export_case:
            self.session.autosave.begin(Case(folder=path), self.session.state, None)
            self._follow()
        link = QUrl.fromLocalFile(str(path)).toString()
        self.written.setText(f'Written: <a href="{link}" style="color: #5ad1e6">{path}</a>')
        lacks_pdf = write is export_report and not path.with_suffix(".pdf").is_file()
        self.session.message.emit(f"Written: {path}" + (f"; {PDF_NEEDS}" if lacks_pdf else ""))

    def _follow(self) -> None:
        has_scan, has_labels = self.session.volume is not None, self.session.label_map is not None
        for door in DOORS:
            self.buttons[door.text].setEnabled(has_labels if door.needs_labels else has_scan)
        self.picture.setEnabled(has_scan)
        if not has_scan:
            self.hint.setText(NO_SCAN)
            return
        case = self.session.case
        place = "the autosave folder" if case is None else str(case.folder)
        saved = f"{READY} {place}."
        self.hint.setText(saved if has_labels else f"{saved}<br>{NO_LABELS}")


def _with_suffix(name: str, chosen: str) -> str:
    """The name with the suffix of the chosen kind, where it has none of its own.

    >>> _with_suffix("a", "NIfTI (*.nii.gz)"), _with_suffix("a.mha", "NIfTI (*.nii.gz)")
    ('a.nii.gz', 'a.mha')
    """
    if not name or Path(name).suffix:
        return name
    return name + chosen.partition("(*")[2].rstrip(")")


def _button(text: str, tip: str, key: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{tip} ({key})" if key else tip)
    if key:
        button.setShortcut(key)
    return button
