"""Which of our structures a name means, and the table that says it where names do not.

Some names cover two structures of ours. 3D-IRCADb's 'venoussystem' is the hepatic veins and the
vena cava in one: called hepatic veins, the vena cava would count as a vessel of the liver, and
called vena cava, the hepatic veins would vanish from the plan. Such names are refused until the
table says which structure is meant.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surgplan.errors import LabelError
from surgplan.io._guard import read_json
from surgplan.volume import (
    ANATOMY,
    ARTERIES,
    BILIARY,
    BONE,
    BOWEL,
    COUINAUD,
    HEPATIC_VEINS,
    LEFT_KIDNEY,
    LIVER,
    LIVER_CYST,
    LIVER_TUMOUR,
    LUNGS,
    PANCREAS,
    PORTAL_VEIN,
    RIGHT_KIDNEY,
    SPLEEN,
    STOMACH,
    VENA_CAVA,
    Segment,
)

IGNORE = "ignore"
"""What the table writes for a part that shall be left out."""

_GROWTH = "(tumou?r|lesion|metastas[ie]s|neoplasm|hcc|crlm)s?"
_SIDE = "(left|right)?"

_PATTERNS: tuple[tuple[Segment | None, str], ...] = (
    (LIVER, "liver(parenchyma|tissue)?|hepar"),
    (LIVER_TUMOUR, f"(liver|hepatic)?{_GROWTH}|{_GROWTH}(of)?(the)?liver"),
    (PORTAL_VEIN, "portal(vein|veins|venoussystem)?(and(splenicvein|smv))*|venaportae"),
    (PORTAL_VEIN, "splenicvein|(superior)?mesentericvein"),
    (HEPATIC_VEINS, f"{_SIDE}(middle)?hepatic(vein|veins)"),
    (VENA_CAVA, "(inferior)?venacava(inferior)?|ivc|postcava"),
    (ARTERIES, "(abdominal)?aorta|arter(y|ies|ialsystem)|aortaandarteries|c(o?e)liactrunk"),
    (ARTERIES, f"{_SIDE}(common)?(hepatic|splenic|renal|iliac|subclavian|carotid)artery{_SIDE}"),
    (BILIARY, "gallbladder(andbileducts)?|(common)?bileducts?|biliary(system|tract|tree)?"),
    (SPLEEN, "spleen"),
    (RIGHT_KIDNEY, "rightkidney|kidneyright"),
    (LEFT_KIDNEY, "leftkidney|kidneyleft"),
    (STOMACH, "stomach"),
    (PANCREAS, "pancreas"),
    (LUNGS, f"{_SIDE}lungs?{_SIDE}|lung(upper|middle|lower)lobe{_SIDE}"),
    (BONE, f"bones?|(vertebra|vertebrae|vertebral)[a-z]?|{_SIDE}ribs?{_SIDE}|spine|sacrum|sternum"),
    (BONE, f"(hip|femur|humerus|scapula|clavicula|skull|pelvis|vertebralcolumn){_SIDE}"),
    (BOWEL, "duodenum(andbowel)?|(small|large)?(bowel|intestine?s?)|colon|rectum"),
    (LIVER_CYST, "(liver|hepatic)[ck]ysts?|cysts?(of)?(the)?liver"),
    (
        None,
        "background|skin|body|air|table|metal|heart|brain|trachea|o?esophagus|spinalcord|prostate",
    ),
    (None, f"{_SIDE}(adrenal|surrenal|thyroid)glands?{_SIDE}|(urinary)?bladder|uterus|diaphragm"),
    (None, f"gluteus(maximus|medius|minimus){_SIDE}|(autochthon|iliopsoas|muscles?){_SIDE}"),
    (
        None,
        f"kidneycyst{_SIDE}|costalcartilages|intervertebraldiscs?|brachiocephalic(trunk|vein){_SIDE}",
    ),
    (None, f"pulmonaryvein|atrialappendage{_SIDE}|superiorvenacava|iliacven(a|ae|ous){_SIDE}"),
)  # None: known, and not a structure of ours

_HINTS = {"venoussystem": (HEPATIC_VEINS, VENA_CAVA)}


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """One line of a table of names.

    Attributes
    ----------
    name
        What the file calls the part.
    numbers
        Values of its voxels; empty where the file itself says them.
    structure
        What it is in our words, `IGNORE`, or None: then the name says it.
    """

    name: str
    numbers: tuple[int, ...]
    structure: str | None


def read_table(path: Path | str) -> tuple[TableEntry, ...]:
    """Read a table of names (JSON).

    Each name stands for a number, a list of numbers, a structure, or both::

        {"livertumor1": 7,
         "lungs": [3, 4],
         "Segment_3": "hepatic veins",
         "venoussystem": {"label": 6, "structure": "hepatic veins"},
         "skin": {"label": 1, "structure": "ignore"},
         "Segment_4": null}

    Nothing (``null``) as structure leaves the part out, as `IGNORE` does.

    Raises
    ------
    LabelError
        If an entry has another form, or a number stands twice.
    CorruptFileError, UnsafeFileError, NothingToDoError
        If it cannot be read as JSON, or a name stands twice.
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        msg = f'{path.name} must be a JSON object like {{"livertumor1": 7}}'
        raise LabelError(msg)
    entries = tuple(_entry(name, value, path.name) for name, value in content.items())
    numbers = [n for e in entries for n in e.numbers]
    twice = sorted({n for n in numbers if numbers.count(n) > 1})
    if twice:
        msg = f"{path.name} gives the number {twice[0]} to two names; give it to one"
        raise LabelError(msg)
    return entries


def structure_named(name: str, vocabulary: Sequence[Segment] = ANATOMY) -> Segment | str | None:
    """The structure that a name means, `IGNORE` for known others, None where unsure.

    Case, separators and digits do not count: 'Liver_Tumour 02' is a liver tumour.

    Examples
    --------
    >>> structure_named("livertumor1").name
    'liver tumour'
    >>> structure_named("kidney_left").name
    'left kidney'
    >>> structure_named("skin")
    'ignore'
    >>> structure_named("venoussystem") is None
    True
    """
    exact = " ".join(name.casefold().replace("_", " ").split())
    for segment in (*vocabulary, *COUINAUD):
        if exact == segment.name.casefold():
            return segment
    squashed = re.sub(r"[\W\d_]+", "", name.casefold())
    for meant, pattern in _PATTERNS:
        if re.fullmatch(pattern, squashed):
            return IGNORE if meant is None else meant
    return None


def refuse_unsure(unsure: Sequence[str], name: str, *, numbers: dict[str, list[int]]) -> None:
    """Raise `LabelError` that lists each name with the nearest structures and the way out.

    Parameters
    ----------
    unsure
        The names.
    name
        What to call the file.
    numbers
        Their numbers, as far as a table gave them.
    """
    shown = "; ".join(f"{n!r}{_nearest(n)}" for n in unsure[:8])
    more = f" and {len(unsure) - 8} more" if unsure[8:] else ""
    first = unsure[0]
    structure = next((s.name for s in _suggested(first)), IGNORE)
    label = numbers.get(first, [])
    said: object = structure
    if label:
        said = {"label": label if label[1:] else label[0], "structure": structure}
    msg = (
        f"not sure which structures {name} means by {shown}{more}; say it in the file of "
        f'`--label-names`, for example {json.dumps({first: said})}, or "{IGNORE}" as structure'
    )
    raise LabelError(msg)


def _entry(name: str, value: Any, file: str) -> TableEntry:
    label, structure = value, None
    if isinstance(value, dict) and value and set(value) <= {"label", "structure"}:
        label = value.get("label", [])
        structure = value["structure"] or IGNORE if "structure" in value else None
    elif isinstance(value, str) or value is None:
        label, structure = [], value or IGNORE
    numbers = label if isinstance(label, list) else [label]
    said = bool(numbers) or structure is not None
    if not (said and _are_labels(numbers) and isinstance(structure, (str, type(None)))):
        msg = (
            f"{file} gives {name!r} {json.dumps(value)[:60]}; give a number from 1 to 65535, a "
            'list of them, or {"label": number, "structure": name}'
        )
        raise LabelError(msg)
    return TableEntry(name=name, numbers=tuple(numbers), structure=structure)


def _are_labels(numbers: list[Any]) -> bool:
    return all(type(n) is int and 1 <= n <= 65535 for n in numbers)


def _suggested(name: str) -> tuple[Segment, ...]:
    squashed = re.sub(r"[\W\d_]+", "", name.casefold())
    if squashed in _HINTS:
        return _HINTS[squashed]
    names = {s.name: s for s in ANATOMY}
    return tuple(names[n] for n in difflib.get_close_matches(name.casefold(), names, n=2))


def _nearest(name: str) -> str:
    names = " or ".join(s.name for s in _suggested(name))
    return f" (nearest: {names})" if names else ""
