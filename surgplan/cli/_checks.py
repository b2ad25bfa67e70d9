"""What `surgplan doctor` looks at. Each check stands alone and survives what it tests."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import surgplan
from surgplan.cli._outcome import one_line

MIN_MEMORY_GB = 4.0
MIN_DISK_GB = 2.0
PROBE_SECONDS = 120.0

_GL_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(16, 16)
renderer = vtk.vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
grab = vtk.vtkWindowToImageFilter()
grab.SetInput(window)
grab.Update()
if grab.GetOutput().GetScalarComponentAsDouble(8, 8, 0, 0) < 250:
    raise SystemExit("the picture is empty")
lines = [s.strip() for s in window.ReportCapabilities().splitlines()]
print(next((s.split(":", 1)[1].strip() for s in lines if "renderer string" in s), "works"))
"""
_TORCH_PROBE = """
import torch
device = "cuda" if torch.cuda.is_available() else "cpu"
if device == "cpu" and torch.backends.mps.is_available():
    device = "mps"
name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
print(f"{torch.__version__} on {device} ({name})")
"""
_MODELS_PROBE = """
from surgplan.segmentation import shipped_models
models = shipped_models()
for model in models:
    model.verify()
print(", ".join(f"{m.name} {m.version}, checksum fits" for m in models) or "none shipped")
"""

_ENGINE_PROBE = """
from surgplan.segmentation import describe_engine
print(describe_engine())
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding: ``ok``, ``missing`` (optional) or ``bad``, and the way out of it."""

    what: str
    state: Literal["ok", "missing", "bad"]
    found: str
    way_out: str = ""

    def to_dict(self) -> dict[str, str]:
        """The finding as plain words."""
        return asdict(self)


def check_python() -> Iterable[Check]:
    """Python 3.11 or newer."""
    fine = sys.version_info >= (3, 11)
    found = f"{platform.python_version()} ({platform.machine()}, {platform.system()})"
    way_out = "" if fine else "install Python 3.11 or newer"
    yield Check(what="python", state="ok" if fine else "bad", found=found, way_out=way_out)
    yield Check(what="surgplan", state="ok", found=surgplan.__version__)


def check_libraries() -> Iterable[Check]:
    """Every library that the installed surgplan asks for, without loading any."""
    for requirement in metadata.requires("surgplan") or []:
        if "extra ==" not in requirement:
            yield _library(_name_of(requirement), state="bad", way_out="pip install surgplan")


def check_extras() -> Iterable[Check]:
    """The optional parts: networks, a faster engine for them, and the window."""
    yield _library("monai", state="missing", way_out="pip install 'surgplan[ai]'")
    yield _library("openvino", state="missing", way_out="pip install 'surgplan[openvino]'")
    yield _library("napari", state="missing", way_out="pip install 'surgplan[gui]'")


def check_decoders() -> Iterable[Check]:
    """Compressed DICOM, by family of transfer syntaxes; any one package of a family will do."""
    families = (
        ("JPEG 2000", ("pylibjpeg-openjpeg", "python-gdcm"), "bad"),
        ("JPEG-LS", ("pyjpegls", "python-gdcm"), "missing"),
        ("JPEG lossless", ("pylibjpeg-libjpeg", "python-gdcm"), "missing"),
    )
    for family, packages, state in families:
        package = next((p for p in packages if _version(p)), packages[-1])
        yield _library(
            package,
            state="bad" if state == "bad" else "missing",
            way_out=f"pip install {packages[-1] if state == 'missing' else packages[0]}",
            what=f"decoder: {family}",
        )


def check_graphics() -> Iterable[Check]:
    """A picture drawn without a screen, as the report does it."""
    way_out = "apt install libgl1 libegl1 libosmesa6, or set up a display"
    yield _probe("off-screen graphics", _GL_PROBE, state="bad", way_out=way_out)


def check_torch() -> Iterable[Check]:
    """The device that networks run on."""
    if _version("torch") is None:
        way_out = "pip install 'surgplan[ai]' (segmentation; `run --labels` works without)"
        yield Check(what="torch", state="missing", found="not installed", way_out=way_out)
        return
    yield _probe("torch", _TORCH_PROBE, state="bad", way_out="pip install --force-reinstall torch")


def check_models() -> Iterable[Check]:
    """The weights of the shipped models against their checksums."""
    if _version("torch") is not None and _version("monai") is not None:
        yield _probe("models", _MODELS_PROBE, state="bad", way_out="reinstall surgplan")


def check_engine() -> Iterable[Check]:
    """What runs the default model fastest here; measured once, then remembered."""
    if _version("torch") is not None and _version("monai") is not None:
        yield _probe("engine", _ENGINE_PROBE, state="missing", way_out="surgplan models verify")


def check_resources() -> Iterable[Check]:
    """Memory, disk and the right to write here and in the folder for temporary files."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield _at_least("memory", memory_gb, MIN_MEMORY_GB, "give segment less with --max-memory")
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        free_gb = shutil.disk_usage(folder).free / 1e9
        yield _at_least(f"free disk in {folder}", free_gb, MIN_DISK_GB, "free some space")
        yield _writable(folder)


ALL_CHECKS: tuple[Callable[[], Iterable[Check]], ...] = (
    check_python,
    check_libraries,
    check_extras,
    check_decoders,
    check_graphics,
    check_torch,
    check_models,
    check_engine,
    check_resources,
)


def _name_of(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if c in " <>=!~;[("), len(requirement))
    return requirement[:end]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _library(
    package: str, *, state: Literal["missing", "bad"], way_out: str, what: str | None = None
) -> Check:
    version = _version(package)
    if version is None:
        return Check(what=what or package, state=state, found="not installed", way_out=way_out)
    found = version if what is None else f"{package} {version}"
    return Check(what=what or package, state="ok", found=found)


def _probe(what: str, code: str, *, state: Literal["missing", "bad"], way_out: str) -> Check:
    """Run a few lines in another process: a crash in a driver must not end this one."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        found = f"no answer in {PROBE_SECONDS:.0f} s"
        return Check(what=what, state=state, found=found, way_out=way_out)
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = one_line(said[-1]) if said else f"ended with {done.returncode}"
    if done.returncode:
        return Check(what=what, state=state, found=last, way_out=way_out)
    return Check(what=what, state="ok", found=last)


def _at_least(what: str, have_gb: float, need_gb: float, way_out: str) -> Check:
    fine = have_gb >= need_gb
    found = f"{have_gb:.1f} GB" + ("" if fine else f", {need_gb:.0f} GB wanted")
    return Check(
        what=what, state="ok" if fine else "bad", found=found, way_out="" if fine else way_out
    )


def _writable(folder: Path) -> Check:
    what = f"write access in {folder}"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check(what=what, state="ok", found="yes")
    except OSError as error:
        way_out = "work in a folder of your own"
        return Check(what=what, state="bad", found=error.strerror or "no", way_out=way_out)
