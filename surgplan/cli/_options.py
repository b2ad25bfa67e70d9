"""Arguments and options that several commands share, and how their words are read."""

from __future__ import annotations

from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

import typer

from surgplan.errors import MissingExtraError, UsageError

ModalityWord = Literal["ct", "mr"]
ConditionWord = Literal["normal", "chemo", "steatosis", "cirrhosis"]

Scan = Annotated[
    Path,
    typer.Argument(metavar="SCAN", help="DICOM folder or zip, .dcm, .nii, .nii.gz, .nrrd, .mha."),
]
CaseFolder = Annotated[Path, typer.Argument(metavar="CASE", help="Case folder.")]

_INPUT = "Reading"
ModalityOption = Annotated[
    ModalityWord | None,
    typer.Option("--modality", help="Where the file does not say.", rich_help_panel=_INPUT),
]
SeriesOption = Annotated[
    str | None,
    typer.Option(
        "--series",
        metavar="UID",
        help="SeriesInstanceUID or its beginning, where a folder holds several.",
        rich_help_panel=_INPUT,
    ),
]
AllowResampleOption = Annotated[
    bool,
    typer.Option(
        "--allow-resample",
        help="Straighten a tilted gantry; labels on another grid may be resampled.",
        rich_help_panel=_INPUT,
    ),
]
LabelNamesOption = Annotated[
    Path | None,
    typer.Option(
        "--label-names",
        metavar="JSON",
        help='Names of the label numbers: {"liver": 1, "portal vein": 3}.',
        rich_help_panel=_INPUT,
    ),
]

_NETWORK = "Network"
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Shipped or added model, or folder of a bundle.",
        rich_help_panel=_NETWORK,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="cpu, cuda, cuda:1, mps.", rich_help_panel=_NETWORK)
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads; else all.", rich_help_panel=_NETWORK),
]
MaxMemoryOption = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Use no more, for example 3G; else refuse.",
        rich_help_panel=_NETWORK,
    ),
]

_PLAN = "Planning"
MarginOption = Annotated[
    float,
    typer.Option("--margin-mm", min=0.5, max=50.0, help="Wanted.", rich_help_panel=_PLAN),
]
ConditionOption = Annotated[
    ConditionWord,
    typer.Option("--condition", help="Of the liver.", rich_help_panel=_PLAN),
]
HeightOption = Annotated[
    float | None,
    typer.Option("--height-cm", min=0.0, help="Of the patient.", rich_help_panel=_PLAN),
]
WeightOption = Annotated[
    float | None,
    typer.Option("--weight-kg", min=0.0, help="Of the patient.", rich_help_panel=_PLAN),
]
CountOption = Annotated[
    int, typer.Option("--count", min=1, help="Proposals wanted.", rich_help_panel=_PLAN)
]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help="Same seed, same result.", rich_help_panel=_PLAN)
]

_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def bytes_of(size: str | None) -> int | None:
    """Bytes in words such as ``3G`` or ``500M``; None stays None.

    >>> bytes_of("1.5G")
    1500000000

    Raises
    ------
    UsageError
        If it is no positive size.
    """
    if size is None:
        return None
    word = size.strip().upper().removesuffix("B").removesuffix("I")
    factor = _UNITS.get(word[-1:], 1)
    try:
        number = float(word.rstrip("KMGT")) * factor
    except ValueError:
        number = 0.0
    if not 1 <= number < 1e18:
        msg = f"--max-memory must be a size such as 3G or 800M, got {size!r}"
        raise UsageError(msg)
    return int(number)


def words_of(text: str, allowed: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The words between commas, each at most once.

    >>> words_of("stl,glb", ("stl", "glb", "ply"), "--format")
    ('stl', 'glb')

    Raises
    ------
    UsageError
        If there is none or one that is not allowed.
    """
    words = tuple(dict.fromkeys(w.strip().lower() for w in text.split(",") if w.strip()))
    wrong = [w for w in words if w not in allowed]
    if wrong or not words:
        msg = f"{option} must be some of {', '.join(allowed)} between commas, got {text!r}"
        raise UsageError(msg)
    return words


def need_extra(module: str, feature: str, extra: str) -> None:
    """Raise `MissingExtraError` unless the module is installed; nothing is loaded."""
    if find_spec(module) is None:
        raise MissingExtraError(feature, extra)


def modality_of(word: ModalityWord | None) -> Literal["CT", "MR"] | None:
    """As `surgplan.volume` writes it."""
    if word is None:
        return None
    return "CT" if word == "ct" else "MR"


def numbers_of(text: str, count: int, option: str) -> tuple[float, ...]:
    """Numbers between commas; one stands for all.

    >>> numbers_of("2", 3, "--spacing-mm")
    (2.0, 2.0, 2.0)

    Raises
    ------
    UsageError
        If it is neither one nor `count` numbers.
    """
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, count) or not all(map(isfinite, numbers)):
        msg = f"{option} must be one number or {count} between commas, got {text!r}"
        raise UsageError(msg)
    return numbers * count if len(numbers) == 1 else numbers
