"""The note that our NIfTI, NRRD and MHA files carry: what those formats have no field for.

NIfTI rounds the affine to single precision and knows neither modality nor codes; the note keeps
them, so that a scan or label map written and read again is the same one, with the same
fingerprint. Other programs ignore it, and drop it when they write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from surgplan import NOT_A_MEDICAL_DEVICE, __version__
from surgplan.errors import CorruptFileError, UsageError
from surgplan.volume import Code, Geometry, LabelMap, Modality, Segment, Volume

NOTE_KEY = "surgplan_note"
"""Name of the note among the keys of NRRD and MHA files."""

_SCHEMA = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Note:
    """What the note says.

    Attributes
    ----------
    affine
        ``(4, 4)`` float64, array index (slice, row, column) to LPS mm.
    modality, frame_of_reference, identity
        Of a volume; None for a label map.
    segments
        Of a label map; empty for a volume.
    """

    affine: npt.NDArray[np.float64]
    modality: Modality | None = None
    frame_of_reference: str | None = None
    identity: str | None = None
    segments: tuple[Segment, ...] = ()

    @classmethod
    def of(cls, image: Volume | LabelMap) -> Note:
        """The note for an image of ours."""
        if isinstance(image, LabelMap):
            return cls(affine=image.geometry.affine, segments=image.segments)
        return cls(
            affine=image.geometry.affine,
            modality=image.modality,
            frame_of_reference=image.frame_of_reference,
            identity=image.identity,
        )

    def to_json(self) -> str:
        """One line of JSON, readable by people who open the header."""
        content: dict[str, Any] = {
            "surgplan_note": _SCHEMA,
            "version": __version__,
            "notice": NOT_A_MEDICAL_DEVICE,
            "affine_lps_mm": self.affine.tolist(),
        }
        if self.modality:
            content["modality"] = self.modality
            content["frame_of_reference"] = self.frame_of_reference
            content["identity"] = self.identity
        if self.segments:
            content["segments"] = [segment_to_dict(s) for s in self.segments]
        return json.dumps(content, ensure_ascii=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, name: str) -> Note | None:
        """The note in a text, or None if the text is somebody else's.

        Raises `CorruptFileError` if it says it is ours but does not read like it.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(content, dict) or content.get(NOTE_KEY) != _SCHEMA:
            return None
        try:
            modality = content.get("modality")
            names = [content.get(key) for key in ("frame_of_reference", "identity")]
            if modality not in ("CT", "MR", None) or not all(
                isinstance(n, (str, type(None))) for n in names
            ):
                raise TypeError(modality, names)
            affine = np.array(content["affine_lps_mm"], dtype=np.float64).reshape(4, 4)
            segments = tuple(segment_from_dict(s) for s in content.get("segments", ()))
        except (KeyError, TypeError, ValueError, UsageError) as e:
            msg = f"the surgplan note in {name} cannot be read ({e}); export the file again"
            raise CorruptFileError(msg) from e
        return cls(
            affine=affine,
            modality=modality,
            frame_of_reference=names[0],
            identity=names[1],
            segments=segments,
        )

    def sharpen(self, geometry: Geometry) -> Geometry:
        """The grid in full precision, if it is the one that the note was written for."""
        exact = Geometry(shape=geometry.shape, affine=self.affine)
        return exact if exact.matches(geometry) else geometry


def segment_to_dict(segment: Segment) -> dict[str, Any]:
    """A segment as plain values."""
    code = segment.code
    return {
        "label": segment.label,
        "name": segment.name,
        "code": {"value": code.value, "scheme": code.scheme, "meaning": code.meaning},
        "colour": list(segment.colour),
    }


def segment_from_dict(content: dict[str, Any]) -> Segment:
    """The inverse of `segment_to_dict`; raises `KeyError`, `TypeError` or `UsageError`."""
    code = content["code"]
    red, green, blue = content["colour"]
    return Segment(
        label=int(content["label"]),
        name=str(content["name"]),
        code=Code(
            value=str(code["value"]), scheme=str(code["scheme"]), meaning=str(code["meaning"])
        ),
        colour=(int(red), int(green), int(blue)),
    )
