"""One surface in one file: STL, VTP, PLY, GLB.

STL, VTP and PLY hold LPS millimetres and say so (``SPACE=LPS``), as 3D Slicer does since 4.11; a
file without that word is taken for LPS, one with ``SPACE=RAS`` is turned. GLB follows glTF, see
`write_scene`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from vtkmodules.util.vtkConstants import VTK_STRING
from vtkmodules.vtkCommonCore import (
    vtkLogger,
    vtkOutputWindow,
    vtkStringArray,
    vtkStringOutputWindow,
    vtkUnsignedCharArray,
)
from vtkmodules.vtkIOGeometry import vtkSTLReader, vtkSTLWriter
from vtkmodules.vtkIOPLY import vtkPLYWriter
from vtkmodules.vtkIOXML import vtkXMLPolyDataReader, vtkXMLPolyDataWriter

from surgplan import NOT_A_MEDICAL_DEVICE
from surgplan.errors import CorruptFileError, InputRefusedError, OutputError, UsageError
from surgplan.io._atomic import atomic_file
from surgplan.io._guard import input_file
from surgplan.io._scene import read_glb, write_scene
from surgplan.mesh import Surface, from_polydata, to_polydata
from surgplan.volume import Segment

Door = TypeVar("Door")

_SPACE = "SPACE"
_MOST_HEADER = 1 << 16
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_surface(surface: Surface, path: Path | str) -> None:
    """Write a surface in the format of the suffix; the same surface gives the same bytes.

    Parameters
    ----------
    surface
        Any.
    path
        ``.stl`` (binary, no colour), ``.vtp`` (float64, with name, code and colour), ``.ply``
        (binary, with colour) in LPS mm, or ``.glb`` (metres, Y up).

    Raises
    ------
    UsageError
        If the suffix is another one.
    OutputError
        If the file cannot be written.
    """
    path = Path(path)
    write = _by_suffix(path, _WRITERS)
    with atomic_file(path) as temporary:
        write(surface, temporary)


def read_surface(path: Path | str, segment: Segment) -> Surface:
    """Read a surface into LPS millimetres.

    Parameters
    ----------
    path
        ``.stl``, ``.vtp``, ``.ply``, or a ``.glb`` of `write_surface`.
    segment
        The structure that the file shows.

    Raises
    ------
    UsageError
        If the suffix is another one.
    NothingToDoError
        If there is no such file.
    CorruptFileError
        If the file is cut short, holds no triangle or is not what its name says.
    InputRefusedError
        If it names a frame other than LPS and RAS.
    """
    read = _by_suffix(Path(path), _READERS)
    try:
        return read(input_file(path), segment)
    except UsageError as e:
        msg = f"{Path(path).name} holds no surface: {e}"
        raise CorruptFileError(msg) from e


def _by_suffix(path: Path, table: dict[str, Door]) -> Door:
    if path.suffix.lower() not in table:
        msg = f"a surface file ends in {', '.join(table)}, got {path.name!r}"
        raise UsageError(msg)
    return table[path.suffix.lower()]


def _write_stl(surface: Surface, path: Path) -> None:
    writer = vtkSTLWriter()
    writer.SetFileTypeToBinary()
    writer.SetHeader("surgplan SPACE=LPS UNIT=mm. Not a medical device.")
    _write(writer, to_polydata(surface), path)


def _write_ply(surface: Surface, path: Path) -> None:
    writer = vtkPLYWriter()
    writer.SetFileTypeToBinary()
    writer.SetColorModeToUniformPointColor()
    writer.SetColor(*surface.segment.colour)
    for comment in ("SPACE=LPS", "UNIT=mm", f"NAME={surface.segment.name}", NOT_A_MEDICAL_DEVICE):
        writer.AddComment(comment)
    _write(writer, to_polydata(surface), path)


def _write_vtp(surface: Surface, path: Path) -> None:
    segment, mesh = surface.segment, to_polydata(surface)
    facts = {
        _SPACE: "LPS",
        "UNIT": "mm",
        "NAME": segment.name,
        "CODE": f"{segment.code.scheme}^{segment.code.value}^{segment.code.meaning}",
        "NOTE": NOT_A_MEDICAL_DEVICE,
    }
    for key, value in facts.items():
        words = vtkStringArray()
        words.SetName(key)
        words.InsertNextValue(value)
        mesh.GetFieldData().AddArray(words)
    colour = vtkUnsignedCharArray()
    colour.SetName("COLOUR")
    colour.SetNumberOfComponents(3)
    colour.InsertNextTuple3(*segment.colour)
    mesh.GetFieldData().AddArray(colour)
    writer = vtkXMLPolyDataWriter()
    writer.SetDataModeToAppended()
    writer.EncodeAppendedDataOff()
    _write(writer, mesh, path)


def _write(writer: Any, mesh: Any, path: Path) -> None:
    writer.SetInputData(mesh)
    writer.SetFileName(str(path))
    with _overheard() as errors:
        written = writer.Write()
    if errors or not written:
        msg = f"cannot write {path}: {' '.join(errors[:1])}; is there room on the disk?"
        raise OutputError(msg)


def _read_stl(path: Path, segment: Segment) -> Surface:
    reader = vtkSTLReader()
    mesh = _read(reader, path)
    surface = from_polydata(mesh, segment)
    return _placed(surface, _word_after_space(reader.GetHeader() or ""), path)


def _read_ply(path: Path, segment: Segment) -> Surface:
    import trimesh  # vtkPLYReader crashes the process on a file that is cut short

    try:
        mesh = trimesh.load_mesh(path, file_type="ply", process=False)
        points, triangles = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    except Exception as e:  # trimesh lets through whatever its parser meets
        reason = " ".join(str(e).split())
        msg = f"cannot read {path.name} as PLY: {reason}; export it again"
        raise CorruptFileError(msg) from e
    surface = Surface(points=points, triangles=triangles, segment=segment)
    header = path.read_bytes()[:_MOST_HEADER].partition(b"end_header")[0]
    return _placed(surface, _word_after_space(header.decode("ascii", "replace")), path)


def _read_vtp(path: Path, segment: Segment) -> Surface:
    mesh = _read(vtkXMLPolyDataReader(), path)
    words = mesh.GetFieldData().GetAbstractArray(_SPACE)
    told = words is not None and words.GetDataType() == VTK_STRING and words.GetNumberOfValues()
    surface = from_polydata(mesh, segment)
    return _placed(surface, words.GetValue(0) if told else "LPS", path)


def _read(reader: Any, path: Path) -> Any:
    reader.SetFileName(str(path))
    with _overheard() as errors:
        reader.Update()
    if errors:
        msg = f"cannot read {path.name}: {errors[0]}; export it again"
        raise CorruptFileError(msg)
    return reader.GetOutput()


def _placed(surface: Surface, space: str, path: Path) -> Surface:
    """The surface in LPS; turning by 180 degrees keeps the side of the triangles."""
    if space == "LPS":
        return surface
    if space == "RAS":
        return replace(surface, points=surface.points * _RAS_TO_LPS)
    msg = f"{path.name} lies in frame {space!r}; only LPS and RAS are known, export it as LPS"
    raise InputRefusedError(msg)


def _word_after_space(text: str) -> str:
    found = re.search(rf"{_SPACE}=([A-Za-z]+)", text)
    return found.group(1).upper() if found else "LPS"


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """A list that holds, after the block, the errors that VTK prints on stderr and goes on."""
    errors: list[str] = []
    before, window = vtkOutputWindow.GetInstance(), vtkStringOutputWindow()
    verbosity = vtkLogger.GetCurrentVerbosityCutoff()
    vtkOutputWindow.SetInstance(window)
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        yield errors
    finally:
        vtkLogger.SetStderrVerbosity(verbosity)
        vtkOutputWindow.SetInstance(before)
        errors += re.findall(
            r"^(?:ERROR|Warning): .*\n.*?\(0x[0-9a-f]+\): *(.*)", window.GetOutput(), re.M
        )


_WRITERS: dict[str, Callable[[Surface, Path], None]] = {
    ".stl": _write_stl,
    ".vtp": _write_vtp,
    ".ply": _write_ply,
    ".glb": lambda surface, path: write_scene([surface], path),
}
_READERS: dict[str, Callable[[Path, Segment], Surface]] = {
    ".stl": _read_stl,
    ".vtp": _read_vtp,
    ".ply": _read_ply,
    ".glb": read_glb,
}
