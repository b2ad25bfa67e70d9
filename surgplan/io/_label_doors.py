"""Label maps in and out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from surgplan.errors import LabelError, UsageError
from surgplan.io._dicom_parse import head_of, looks_like_dicom
from surgplan.io._dicom_seg import load_dicom_seg
from surgplan.io._guard import input_file
from surgplan.io._itk import ITK_SUFFIXES, load_itk, write_itk
from surgplan.io._label_file import LabelFile, LabelPart, paint
from surgplan.io._label_names import (
    IGNORE,
    TableEntry,
    read_table,
    refuse_unsure,
    structure_named,
)
from surgplan.io._nifti import load_nifti, write_nifti
from surgplan.io._seg_nrrd import load_seg_nrrd, write_seg_nrrd
from surgplan.io._stored import as_label_numbers
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    COUINAUD,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    VENA_CAVA,
    Geometry,
    LabelMap,
    Segment,
    box_of,
)

_LARGEST_ML = {
    LIVER: 5000, PORTAL_VEIN: 400, HEPATIC_VEINS: 400, VENA_CAVA: 500, ARTERIES: 1500,
    SPLEEN: 4000, RIGHT_KIDNEY: 1500, LEFT_KIDNEY: 1500,
}  # fmt: skip
"""More than this in a file of bare numbers means that the numbers are somebody else's."""

_OURS = ", ".join(s.name for s in ANATOMY)


def read_label_map(path: Path | str, *, label_names: Path | str | None = None) -> LabelMap:
    """Read a segmentation and say which structure each part of it is.

    What says it, in this order: the table ``label_names``; codes in a ``.seg.nrrd`` or DICOM SEG;
    names in a ``.seg.nrrd``, DICOM SEG or the label table of a NIfTI (TotalSegmentator's); what
    surgplan wrote along; numbers 1 to 16 as surgplan writes them. Where that leaves a doubt, the
    file is refused. Parts of one structure (both lungs, several tumours) are joined; known parts
    that are no structure of ours (skin, muscles) are left out; where parts overlap, liver
    parenchyma gives way to what lies inside it, and any other overlap is refused.

    Parameters
    ----------
    path
        ``.seg.nrrd``, DICOM SEG, ``.nii.gz``, ``.nii``, ``.nrrd``, ``.nhdr``, ``.mha``, ``.mhd``.
    label_names
        JSON that names numbers, ``{"livertumor1": 7, "lungs": [3, 4]}``, or says what an unclear
        name means, ``{"venoussystem": {"label": 6, "structure": "hepatic veins"}}``; ``"ignore"``
        as structure leaves a part out.

    Returns
    -------
    LabelMap
        ``(slice, row, column)`` in LPS mm, with our label numbers, names, codes and colours.

    Raises
    ------
    LabelError
        If a number or name cannot be mapped without guessing, structures overlap, or a file of
        bare numbers holds organs of impossible size.
    InputRefusedError
        If the file cannot be read for sure; see `read_nifti`, `read_itk`.
    NothingToDoError
        If there is no such file.
    """
    return _read(path, ANATOMY, label_names)


def read_couinaud(path: Path | str, *, label_names: Path | str | None = None) -> LabelMap:
    """Read a map of the segments of Couinaud: bare numbers 1 to 8 are I to VIII.

    Otherwise as `read_label_map`; raises `LabelError` if something else is among them.
    """
    label_map = _read(path, COUINAUD, label_names)
    codes = {s.code for s in COUINAUD}
    other = [s.name for s in label_map.segments if s.code not in codes]
    if other:
        msg = f"segments of Couinaud are I to VIII, {Path(path).name} has {', '.join(other)} too"
        raise LabelError(msg)
    return label_map


def read_numbers(path: Path | str) -> tuple[npt.NDArray[Any], Geometry]:
    """The numbers of a label file as they stand there, whatever they mean, and their grid.

    Returns an unsigned array ``(slice, row, column)``. Raises as `read_label_map`, and
    `LabelError` where parts lie in layers.
    """
    file = _load(input_file(path))
    first, *others = file.layers
    if others:
        msg = f"{file.name} keeps its parts in layers, so a voxel has several numbers; flatten it"
        raise LabelError(msg)
    return first, file.geometry


def write_label_map(label_map: LabelMap, path: Path | str) -> None:
    """Write a label map in one piece; the suffix decides the format.

    Parameters
    ----------
    label_map
        In LPS mm; what is read back is equal to it.
    path
        Ends in ``.nii.gz``, ``.nii``, ``.seg.nrrd``, ``.nrrd`` or ``.mha``.

    Raises
    ------
    UsageError
        If the suffix is another.
    OutputError
        If the file cannot be written.
    """
    name = Path(path).name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(label_map, path)
    elif name.endswith(".seg.nrrd"):
        write_seg_nrrd(label_map, path)
    elif name.endswith((".nrrd", ".mha")):
        write_itk(label_map, path)
    else:
        msg = f"labels are written as .nii.gz, .nii, .seg.nrrd, .nrrd or .mha, got {name}"
        raise UsageError(msg)


def _read(
    path: Path | str, vocabulary: Sequence[Segment], label_names: Path | str | None
) -> LabelMap:
    table = read_table(label_names) if label_names else ()
    file = _load(input_file(path))
    if table:
        parts = _named_by(table, file)
        return paint(file, _structures(parts, table, file.name))
    if file.segments:
        (array,) = file.layers
        return LabelMap(array=array, geometry=file.geometry, segments=file.segments)
    if file.parts:
        return paint(file, _structures(file.parts, (), file.name))
    return _in_our_numbers(file, vocabulary)


def _load(path: Path) -> LabelFile:
    name = path.name.lower()
    if name.endswith((".seg.nrrd", ".seg.nhdr")):
        return load_seg_nrrd(path)
    if looks_like_dicom(head_of(path)):
        return load_dicom_seg(path)
    if name.endswith((".nii", ".nii.gz")):
        stored = load_nifti(path)
    elif name.endswith(ITK_SUFFIXES):
        stored = load_itk(path)
    else:
        msg = f"labels are read from .seg.nrrd, .dcm, .nii.gz, .nrrd or .mha, got {path.name}"
        raise UsageError(msg)
    return LabelFile(
        name=path.name,
        geometry=stored.geometry,
        layers=(as_label_numbers(stored),),
        parts=tuple(LabelPart(name=n, numbers=(k,)) for k, n in stored.names.items() if k),
        segments=stored.note.segments if stored.note else (),
    )


def _in_our_numbers(file: LabelFile, vocabulary: Sequence[Segment]) -> LabelMap:
    (array,) = file.layers
    known = {s.label: s for s in vocabulary}
    parts = [(LabelPart(name=s.name, numbers=(n,)), s) for n, s in known.items()]
    try:
        painted = paint(LabelFile(name=file.name, geometry=file.geometry, layers=(array,)), parts)
    except LabelError as e:
        msg = f"our numbers are 1 to {max(known)}: {e}"
        raise LabelError(msg) from e
    present = painted.labels_present()
    for segment, most in _LARGEST_ML.items() if vocabulary is ANATOMY else ():
        volume_ml = painted.volume_ml(segment)
        if volume_ml > most:
            msg = (
                f"no {segment.name} has {volume_ml:.0f} ml, as {file.name} says by number "
                f"{segment.label}; if its numbers are not ours, name them with `--label-names`"
            )
            raise LabelError(msg)
    if vocabulary is ANATOMY:
        _check_lesions(painted, file.name)
    return LabelMap(
        array=painted.array,
        geometry=painted.geometry,
        segments=tuple(known[n] for n in present),
    )


def _named_by(table: tuple[TableEntry, ...], file: LabelFile) -> tuple[LabelPart, ...]:
    """The parts of a file as a table names them; the table has the last word on numbers."""
    own = {part.name: part for part in file.parts}
    missing = [e.name for e in table if not e.numbers and e.name not in own]
    if missing:
        msg = f"{file.name} has no part called {missing[0]!r}; give its number in `--label-names`"
        raise LabelError(msg)
    if any(part.layer for part in file.parts) and any(e.numbers for e in table):
        msg = (
            f"{file.name} names its parts itself, so numbers say nothing; write names alone in "
            f'`--label-names`, as in {{"{file.parts[0].name}": "liver"}}'
        )
        raise LabelError(msg)
    numbered = tuple(LabelPart(name=e.name, numbers=e.numbers) for e in table if e.numbers)
    taken = {n for part in numbered for n in part.numbers}
    kept = tuple(p for p in file.parts if not taken.intersection(p.numbers))
    return numbered + kept


def _structures(
    parts: Sequence[LabelPart], table: tuple[TableEntry, ...], name: str
) -> list[tuple[LabelPart, Segment | None]]:
    said = {e.name: e.structure for e in table if e.structure is not None}
    known: list[tuple[LabelPart, Segment | None]] = []
    unsure = []
    for part in parts:
        meant = _meant(part, said)
        if meant is None:
            unsure.append(part.name)
        else:
            known.append((part, meant if isinstance(meant, Segment) else None))
    if unsure:
        numbers = {e.name: list(e.numbers) for e in table if e.numbers}
        refuse_unsure(unsure, name, numbers=numbers)
    return known


def _meant(part: LabelPart, said: dict[str, str]) -> Segment | str | None:
    """The structure of a part, `IGNORE`, or None where unsure."""
    if part.name in said:
        word = said[part.name]
        meant = IGNORE if word.casefold() == IGNORE else structure_named(word)
        if meant is None:
            msg = f"{word!r}, given for {part.name!r}, is no structure; ours are {_OURS}"
            raise LabelError(msg)
        return meant
    named = structure_named(part.name)
    if part.coded is None:
        return named
    contradiction = isinstance(named, Segment) and named.code != part.coded.code
    return None if contradiction else part.coded


def _check_lesions(label_map: LabelMap, name: str) -> None:
    """Raise `LabelError` where most of what should be tumour or cyst lies away from the liver."""
    liver = label_map.mask(LIVER)
    for segment in (LIVER_TUMOUR, LIVER_CYST):
        lesion = label_map.mask(segment)
        if not lesion.any() or not liver.any():
            continue
        box = box_of(lesion, label_map.geometry, margin_mm=2 * max(label_map.geometry.spacing_mm))
        pieces, _ = ndimage.label(lesion[box])
        touching = np.unique(pieces[ndimage.binary_dilation(liver[box], iterations=2)])
        share = np.isin(pieces[pieces > 0], touching).mean()
        if share < 0.5:
            msg = (
                f"a {segment.name} lies in the liver, but {1 - share:.0%} of number "
                f"{segment.label} in {name} does not touch it; if its numbers are not ours, name "
                "them with `--label-names`"
            )
            raise LabelError(msg)
