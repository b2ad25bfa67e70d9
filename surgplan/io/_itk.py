"""NRRD and MetaImage: one door for the formats of ITK and 3D Slicer."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from surgplan.errors import OutputError, UsageError
from surgplan.io._atomic import atomic_file
from surgplan.io._metaimage import load_metaimage
from surgplan.io._note import NOTE_KEY, Note
from surgplan.io._nrrd import load_nrrd_image
from surgplan.io._stored import StoredImage, as_volume
from surgplan.volume import LabelMap, Modality, Volume

_LOADERS = {
    ".nrrd": load_nrrd_image,
    ".nhdr": load_nrrd_image,
    ".mha": load_metaimage,
    ".mhd": load_metaimage,
}

ITK_SUFFIXES = tuple(_LOADERS)


def read_itk(path: Path | str, modality: Modality | None = None) -> Volume:
    """Read a scan from ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd``.

    A detached header may only name a data file next to it. Compressed voxels are read to the end,
    checksum included. Spaces LPS, RAS and LAS become LPS; sheared axes are kept as they are.

    Parameters
    ----------
    path
        The file.
    modality
        ``'CT'`` or ``'MR'``; None takes what surgplan wrote into the file, else decides by the
        values, see `check_intensities`.

    Raises
    ------
    CorruptFileError, UnsafeFileError, ResourceLimitError
        If the file is not what its name says, is damaged or promises too much.
    UnsupportedImageError
        If it is not a scalar 3D image.
    GeometryError
        If it names no place in the patient.
    IntensityError
        If values are NaN, infinite or do not fit the modality.
    """
    return as_volume(load_itk(path), modality)


def load_itk(path: Path | str) -> StoredImage:
    """Voxels as stored, with their place; raises as `read_itk`."""
    path = Path(path)
    loader = _LOADERS.get(path.suffix.lower())
    if loader is None:
        msg = f"readable here are {', '.join(_LOADERS)}, got {path.name}"
        raise UsageError(msg)
    return loader(path)


def write_itk(
    image: Volume | LabelMap, path: Path | str, keys: dict[str, str] | None = None
) -> None:
    """Write a scan or label map as ``.nrrd`` or ``.mha``, compressed, with keys in its header.

    Without keys the surgplan note is written. Raises `OutputError`.
    """
    steps = image.geometry.affine[:3, [2, 1, 0]]
    spacing = image.geometry.spacing_mm[::-1]
    itk = sitk.GetImageFromArray(image.array)
    itk.SetSpacing(spacing)
    itk.SetDirection((steps / spacing).ravel().tolist())
    itk.SetOrigin(image.geometry.affine[:3, 3].tolist())
    for key, value in (keys or {NOTE_KEY: Note.of(image).to_json()}).items():
        itk.SetMetaData(key, value)
    with atomic_file(path) as temporary:
        try:
            sitk.WriteImage(itk, str(temporary), useCompression=True)
        except RuntimeError as e:
            reason = str(e).strip().splitlines()[-1]
            msg = f"cannot write {path}: {reason}; choose a folder that can be written and has room"
            raise OutputError(msg) from e
