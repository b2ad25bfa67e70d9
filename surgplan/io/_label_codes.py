"""Which of our structures a coded concept means.

Codes are those of DICOM PS3.16 (CID 7140 and following) and of the terminology of 3D Slicer; the
older SRT codes are turned into SCT by the table of pydicom (PS3.16 annex L).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.sr import coding

from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    COUINAUD,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    Segment,
)

_LIVER_CODE = LIVER.code.value
_KIDNEY = "64033007"
_RIGHT, _LEFT = "24028007", "7771000"

_ALSO = {
    "15825003": ARTERIES,  # aorta
    "7832008": ARTERIES,  # abdominal aorta
    "76015000": ARTERIES,  # hepatic artery
    "57850000": ARTERIES,  # coeliac trunk
    "42258001": PORTAL_VEIN,  # superior mesenteric vein
    "35532006": PORTAL_VEIN,  # splenic vein
    "28231008": BILIARY,  # gallbladder
    "28273000": BILIARY,  # bile duct
    "79741001": BILIARY,  # common bile duct
    "3341006": LUNGS,  # right lung
    "44029006": LUNGS,  # left lung
    "113197003": BONE,  # rib
    "51282000": BONE,  # vertebra
    "421060004": BONE,  # vertebral column
    "54735007": BONE,  # sacrum
    "38848004": BOWEL,  # duodenum
    "30315005": BOWEL,  # small intestine
    "71854001": BOWEL,  # colon
    "14742008": BOWEL,  # large intestine
    "34402009": BOWEL,  # rectum
}

_GROWTHS = {
    "4147007",  # mass
    "108369006",  # neoplasm
    "86049000",  # neoplasm, primary
    "14799000",  # neoplasm, secondary
    "52988006",  # lesion
}
_CYSTS = {"441457006", "103552005"}

_BY_CODE = {s.code.value: s for s in (*ANATOMY, *COUINAUD)} | _ALSO


@dataclass(frozen=True, kw_only=True)
class Concept:
    """A type with what narrows it, each as (scheme, value) or None."""

    kind: tuple[str, str] | None
    kind_modifier: tuple[str, str] | None = None
    region: tuple[str, str] | None = None
    region_modifier: tuple[str, str] | None = None


def segment_of(concept: Concept) -> Segment | None:
    """The structure meant, or None if the code is missing, vague ('tissue') or none of ours."""
    kind = _sct(concept.kind)
    region = _sct(concept.region)
    sides = {_sct(concept.kind_modifier), _sct(concept.region_modifier)}
    if kind in _GROWTHS or kind in _CYSTS:
        in_liver = region == _LIVER_CODE
        return (LIVER_TUMOUR if kind in _GROWTHS else LIVER_CYST) if in_liver else None
    if kind == _KIDNEY:
        found = [s for s, m in ((RIGHT_KIDNEY, _RIGHT), (LEFT_KIDNEY, _LEFT)) if m in sides]
        return found[0] if len(found) == 1 else None
    return _BY_CODE.get(kind) if kind else None


def _sct(code: tuple[str, str] | None) -> str | None:
    """The value of a code in SNOMED CT, None for other schemes."""
    if code is None:
        return None
    scheme, value = code
    if scheme in ("SRT", "SNM3", "99SDM"):
        same = coding.Code(value, "SRT", "")
        known = (*_BY_CODE, *_GROWTHS, *_CYSTS, _KIDNEY, _RIGHT, _LEFT)
        return next((k for k in known if coding.Code(k, "SCT", "") == same), None)
    return value if scheme in ("SCT", "SCT2") else None
