"""DICOM series: what there is, and which one is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MediaStorageDirectoryStorage,
    MRImageStorage,
)

from surgplan.errors import (
    GeometryError,
    NothingToDoError,
    SeveralSeriesError,
    UnsupportedImageError,
    UsageError,
)
from surgplan.io._dicom_grid import MIN_SLICES, stack_of
from surgplan.io._dicom_header import Header, Slice, class_name

Kind = Literal["volume", "derived volume", "localiser", "too few slices", "not a scan"]

_VOLUMES: tuple[Kind, ...] = ("volume", "derived volume")

_SCAN_CLASSES = (
    CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage, MRImageStorage,
    EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SeriesInfo:
    """One series, for people to choose from.

    Attributes
    ----------
    uid
        SeriesInstanceUID.
    description
        SeriesDescription, at most 64 characters.
    modality
        DICOM modality, for example ``'CT'``.
    shape
        Voxels along (slice, row, column).
    spacing_mm
        Millimetres along (slice, row, column); None where the slices make no regular grid.
    kind
        ``'volume'``, ``'derived volume'`` (reformatted), ``'localiser'``, ``'too few slices'`` or
        ``'not a scan'`` (secondary captures, segmentations, other modalities).
    """

    uid: str
    description: str
    modality: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    kind: Kind

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        spacing = "no regular spacing"
        if self.spacing_mm is not None:
            spacing = "x".join(f"{n:.3g}" for n in self.spacing_mm) + " mm"
        name = f"'{self.description}' " if self.description else ""
        return f"{self.uid} {name}({self.modality} {self.kind}, {size}, {spacing})"


@dataclass(frozen=True, kw_only=True)
class Series:
    """The slices of one series, in no order; localisers among them apart."""

    uid: str
    kind: Kind
    slices: tuple[Slice, ...]

    @property
    def header(self) -> Header:
        """Of the first file."""
        return self.slices[0].header

    def info(self) -> SeriesInfo:
        """What people need to know to choose."""
        pixels = self.header.pixels
        shape = (len(self.slices), pixels.rows, pixels.columns)
        spacing = None
        if self.kind in _VOLUMES:
            with suppress(GeometryError):
                spacing = stack_of(self.slices).geometry.spacing_mm
        return SeriesInfo(
            uid=self.uid,
            description=self.header.description,
            modality=self.header.modality,
            shape=shape,
            spacing_mm=spacing,
            kind=self.kind,
        )


def series_of(slices: Sequence[Slice]) -> tuple[Series, ...]:
    """Slices grouped by SeriesInstanceUID; directories of media left out.

    Localisers, and objects that are no scan, are apart even where they share the UID of a scan.
    """
    groups: dict[tuple[str, bool, bool], list[Slice]] = defaultdict(list)
    for s in slices:
        if s.header.sop_class != MediaStorageDirectoryStorage:
            localiser = "LOCALIZER" in s.image_type
            groups[s.header.series_uid, _is_scan(s.header), localiser].append(s)
    return tuple(
        Series(uid=key[0], kind=_kind(group), slices=tuple(group))
        for key, group in sorted(groups.items())
    )


def _kind(slices: Sequence[Slice]) -> Kind:
    if not _is_scan(slices[0].header):
        return "not a scan"
    if "LOCALIZER" in slices[0].image_type:
        return "localiser"
    if len(slices) < MIN_SLICES:
        return "too few slices"
    derived = any(s.image_type[:1] == ("DERIVED",) for s in slices)
    return "derived volume" if derived else "volume"


def _is_scan(header: Header) -> bool:
    return header.sop_class in _SCAN_CLASSES and header.modality in ("CT", "MR")


def choose(found: Sequence[Series], wanted: str | None, where: str) -> Series:
    """The series that is meant: by UID, or the only scan there is.

    Without a UID, a scan is chosen beside localisers, single images and what is no scan; between
    two scans, or beside a reformatted one, nobody chooses but the user.

    Raises
    ------
    SeveralSeriesError
        If more than one could be meant; the message lists them.
    UnsupportedImageError
        If the only one there is no scan of at least three slices.
    UsageError
        If no series has the UID asked for.
    NothingToDoError
        If there is no series at all.
    """
    if not found:
        msg = f"no image in {where}; give the folder, zip or file of a scan"
        raise NothingToDoError(msg)
    if wanted is not None:
        return _by_uid(found, wanted, where)
    volumes = [s for s in found if s.kind in _VOLUMES]
    if len(volumes) == 1 and (volumes[0].kind == "volume" or len(found) == 1):
        return volumes[0]
    if not volumes and (len(found) == 1 or len({s.kind for s in found}) == 1):
        return _readable(found[0])
    if not volumes:
        msg = f"no CT or MR volume in {where}, only {_listed(found)}; give the original series"
        raise UnsupportedImageError(msg)
    raise _several(found, where)


def _by_uid(found: Sequence[Series], wanted: str, where: str) -> Series:
    exact = [s for s in found if s.uid == wanted]
    matching = exact or [s for s in found if wanted and s.uid.startswith(wanted)]
    if not matching:
        msg = f"no series {wanted!r} in {where}; there are: {_listed(found)}"
        raise UsageError(msg)
    if len({s.uid for s in matching}) > 1:
        raise _several(matching, where)
    scans = [s for s in matching if s.kind in _VOLUMES]
    return _readable((scans or matching)[0])


def _several(found: Sequence[Series], where: str) -> SeveralSeriesError:
    msg = f"{where} holds {len(found)} series; choose with --series UID: {_listed(found)}"
    return SeveralSeriesError(msg)


def _listed(found: Sequence[Series]) -> str:
    return "; ".join(str(s.info()) for s in found)


def _readable(series: Series) -> Series:
    """The series itself, unless it can be no scan whoever chose it."""
    header = series.header
    name = header.path.name
    if series.kind == "not a scan":
        what = class_name(header)
        if what == "Segmentation Storage" or header.modality == "SEG":
            msg = f"{name} is a segmentation (DICOM SEG), not a scan; pass it with --labels"
        else:
            msg = f"{name} is no CT or MR scan ({what}, modality {header.modality or 'none'})"
            msg += "; give the original CT or MR series"
        raise UnsupportedImageError(msg)
    if series.kind == "localiser":
        msg = f"{name} is a localiser, not a scan; give the series that was planned on it"
        raise UnsupportedImageError(msg)
    if series.kind == "too few slices":
        count = len(series.slices)
        msg = f"a volume has at least {MIN_SLICES} slices, got {count} ({name})"
        msg += "; give the folder of the whole series"
        raise UnsupportedImageError(msg)
    return series
