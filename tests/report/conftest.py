"""A small liver with a known answer on an oblique, anisotropic grid, and its report."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html.parser import HTMLParser

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import image

from surgplan.mesh import Surface, reconstruct_mask
from surgplan.planning import Patient, Plan, PlaneResection, WedgeResection, assess, tumours_of
from surgplan.report import ReportInput, _pictures
from surgplan.report._offscreen import Drawn
from surgplan.volume import (
    LIVER,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
    label_map_from_masks,
)

TUMOUR_MM = np.array([22.0, -4.0, 3.0])
TUMOUR_RADIUS_MM = 9.0
LIVER_HALF_AXES_MM = np.array([60.0, 45.0, 38.0])


def turned_grid(degrees: float = 12.0) -> Geometry:
    """150 x 120 x 104 mm around the origin, turned about the patient's long and left axes."""
    turn = np.radians(degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    straight = Geometry.from_spacing(shape=(26, 48, 60), spacing_mm=(4.0, 2.5, 2.5))
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ straight.affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ (np.asarray(straight.shape) - 1) / 2
    return Geometry(shape=straight.shape, affine=affine)


def positions(geometry: Geometry) -> npt.NDArray[np.float64]:
    """LPS of every voxel, ``(slice, row, column, 3)``."""
    return geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))


def anatomy(geometry: Geometry, *, tumour: bool = True) -> LabelMap:
    """Ellipsoid liver, ball tumour on the left, straight portal vein along x."""
    at = positions(geometry)
    liver = ((at / LIVER_HALF_AXES_MM) ** 2).sum(axis=-1) <= 1
    vein = (np.linalg.norm(at[..., 1:] - (18.0, -10.0), axis=-1) <= 4) & (np.abs(at[..., 0]) < 40)
    masks = [(LIVER, liver), (PORTAL_VEIN, vein)]
    if tumour:
        ball = np.linalg.norm(at - TUMOUR_MM, axis=-1) <= TUMOUR_RADIUS_MM
        masks.append((LIVER_TUMOUR, ball))
    return label_map_from_masks(masks, geometry)


def scan(geometry: Geometry, labels: LabelMap) -> Volume:
    """Soft tissue, a darker tumour."""
    values = np.where(labels.array > 0, 110, -60)
    values[labels.mask(LIVER_TUMOUR)] = 50
    return Volume(array=values.astype(np.int16), geometry=geometry, modality="CT", identity="1.2.3")


def surfaces_of(labels: LabelMap) -> tuple[Surface, ...]:
    shown = [(LIVER, labels.whole_liver()), (PORTAL_VEIN, labels.mask(PORTAL_VEIN))]
    if labels.mask(LIVER_TUMOUR).any():
        shown.append((LIVER_TUMOUR, labels.mask(LIVER_TUMOUR)))
    return tuple(reconstruct_mask(mask, labels.geometry, segment) for segment, mask in shown)


def plans_on(volume: Volume, labels: LabelMap) -> tuple[Plan, ...]:
    """One that clears the tumour, one that cuts through it, one that leaves it behind."""
    patient = Patient(height_cm=170, weight_kg=70)
    resections = {
        "wedge": WedgeResection.around(labels, tumours_of(labels), 11.0),
        "too-near": PlaneResection(point_mm=(24.0, 0.0, 0.0), normal=(1.0, 0.2, 0.0)),
        "too-far": PlaneResection(point_mm=(50.0, 0.0, 0.0), normal=(1.0, 0.0, 0.0)),
    }
    return tuple(
        Plan(
            name=name,
            resection=resection,
            assessment=assess(labels, resection, margin_mm=10.0, patient=patient),
            scan_fingerprint=volume.fingerprint(),
            labels_fingerprint=labels.fingerprint(),
            why="It is a <test> & nothing else.",
        )
        for name, resection in resections.items()
    )


class Page(HTMLParser):
    """Elements with their attributes, and the text outside of styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text, white space collapsed."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def pictures(self) -> list[tuple[str, npt.NDArray[np.uint8]]]:
        """Alternative text and pixels ``(row, column, 3)`` of every picture."""
        found = []
        for attributes in self.all("img"):
            kind, data = attributes["src"].split(",", 1)
            assert kind == "data:image/jpeg;base64"
            pixels = image.imread(io.BytesIO(base64.b64decode(data)), format="jpeg")
            found.append((attributes["alt"], pixels))
        return found


@pytest.fixture(scope="session")
def grid() -> Geometry:
    return turned_grid()


@pytest.fixture(scope="session")
def anatomy_on() -> Callable[..., LabelMap]:
    return anatomy


@pytest.fixture(scope="session")
def scan_of() -> Callable[[Geometry, LabelMap], Volume]:
    return scan


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], Page]:
    return Page


@pytest.fixture(scope="session")
def case() -> ReportInput:
    geometry = turned_grid()
    labels = anatomy(geometry)
    volume = scan(geometry, labels)
    return ReportInput(
        volume=volume,
        label_map=labels,
        surfaces=surfaces_of(labels),
        plans=plans_on(volume, labels),
        provenance={"inputs": [{"name": "scan.nii.gz", "sha256": "ab" * 32}], "model": None},
        case_name="phantom",
    )


@pytest.fixture
def no_graphics(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without OpenGL, and quick."""
    monkeypatch.setattr(_pictures, "draw_views", lambda views: Drawn(reason="no OpenGL here"))
