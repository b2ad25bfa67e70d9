"""`surgplan synthesize`: scans that nobody ever took, with exact labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from surgplan.cli._options import ModalityWord, SeedOption, modality_of, need_extra
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_folder
from surgplan.cli._terminal import terminal
from surgplan.errors import InputRefusedError, UsageError

LookWord = Literal["native", "arterial", "portal", "delayed", "t1", "t2"]
_PERSON, _LESION = "Person; else drawn", "Lesions; else drawn"


def synthesize(
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the data set.")],
    count: Annotated[int, typer.Option(min=1, help="Scans in all.")] = 1,
    modality: Annotated[ModalityWord, typer.Option(help="Of all scans.")] = "ct",
    labels: Annotated[
        str, typer.Option(metavar="FILE|FOLDER|phantom", help="Label maps to make bodies of.")
    ] = "phantom",
    seed: SeedOption = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes; they change no voxel.")] = 1,
    method: Annotated[
        Literal["randomised", "flow", "decoder"],
        typer.Option(help="How labels become an image: by chance, or by a generator."),
    ] = "randomised",
    generator: Annotated[
        str | None, typer.Option(metavar="NAME", help="Shipped generator or folder of a bundle.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Passes of the flow.")] = 10,
    gate: Annotated[
        bool,
        typer.Option(
            help="Segment each scan and refuse it unless it shows what its labels say, "
            "and nothing else; refused scans are made anew and counted.",
        ),
    ] = True,
    phase: Annotated[
        LookWord | None, typer.Option(help="Contrast phase or weighting; else drawn.")
    ] = None,
    spacing_mm: Annotated[float, typer.Option(min=1, max=6, help="Voxel size.")] = 3.0,
    slice_mm: Annotated[
        float | None, typer.Option(max=10, help="Thickness of slices; else the voxel size.")
    ] = None,
    exact_shape: Annotated[
        bool, typer.Option("--exact-shape", help="Keep given label maps as they are.")
    ] = False,
    sex: Annotated[Literal["female", "male"] | None, typer.Option(rich_help_panel=_PERSON)] = None,
    size: Annotated[
        float | None, typer.Option(help="Of the body, 1 is average.", rich_help_panel=_PERSON)
    ] = None,
    liver_ml: Annotated[float | None, typer.Option(rich_help_panel=_PERSON)] = None,
    condition: Annotated[
        Literal["normal", "steatosis", "cirrhosis"] | None, typer.Option(rich_help_panel=_PERSON)
    ] = None,
    lesions: Annotated[
        int, typer.Option(min=0, max=20, help="The most per scan.", rich_help_panel=_LESION)
    ] = 4,
    lesion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:MM:CONTACT",
            help="Exactly these, for example hcc:30:abut; may be repeated.",
            rich_help_panel=_LESION,
        ),
    ] = None,
) -> Outcome:
    """Write synthetic CT or MR scans with exact labels and lesions; run again to go on."""
    need_extra("torch", "synthesis", "ai")
    from surgplan.synthesis import GateSettings, LesionWish, PersonSettings, VolumeSettings
    from surgplan.training import DatasetSettings, find_label_maps, generate_volumes

    check_folder(out_dir)
    wanted = tuple(LesionWish(**lesion_words(word)) for word in lesion or ())  # type: ignore[arg-type]
    settings = DatasetSettings(
        count=count,
        seed=seed,
        workers=workers,
        labels=() if labels == "phantom" else find_label_maps(Path(labels)),
        volumes=VolumeSettings(
            modality=modality_of(modality) or "CT",
            look=phase,
            person=PersonSettings(sex=sex, size=size, liver_ml=liver_ml, condition=condition),
            lesions=wanted or lesions,
            spacing_mm=spacing_mm,
            slice_mm=slice_mm,
            exact_shape=exact_shape,
            method=method,
            generator=generator,
            steps=steps,
        ),
        gate=GateSettings() if gate else None,
    )
    with terminal().progress("synthesising") as progress:
        manifest = generate_volumes(settings, out_dir, progress=progress)
    why = ", ".join(f"{reason} ({n})" for reason, n in manifest["refused_for"].items())
    if not manifest["scans"]:
        msg = (
            f"none of {count} scans shows what its labels say: {why}; give other labels or wishes, "
            "or another folder and --no-gate to have scans that nobody judged"
        )
        raise InputRefusedError(msg)
    rows = {k: v for k, v in manifest.items() if k not in ("schema", "notice")}
    data = {"folder": out_dir, "manifest": out_dir / "manifest.json", **rows}
    return Outcome(kind="synthesize", data=data, text=_in_words(manifest, why, out_dir))


def _in_words(manifest: dict[str, Any], why: str, folder: Path) -> str:
    """What was written, and why other attempts were not."""
    made = len(manifest["scans"])
    lesions = sum(row["lesions"] for row in manifest["scans"])
    text = f"{made} synthetic scans with {lesions} lesions in {folder}; look at preview.png there"
    if why:
        text += (
            f"\n{manifest['refused_attempts']} attempts were refused by the gate, for {why}; "
            f"{manifest['refused_scans']} scans given up"
        )
    return text


def lesion_words(word: str) -> dict[str, str | float]:
    """A lesion in words: kind, diameter in mm and, where given, contact.

    >>> lesion_words("hcc:30:abut")
    {'kind': 'hcc', 'diameter_mm': 30.0, 'contact': 'abut'}

    Raises
    ------
    UsageError
        If it reads otherwise.
    """
    parts = word.split(":")
    try:
        diameter = float(parts[1])
    except (IndexError, ValueError):
        diameter = -1.0
    if diameter <= 0 or len(parts) > 3:
        msg = f"--lesion must read KIND:MM:CONTACT, for example hcc:30:abut, got {word!r}"
        raise UsageError(msg)
    return {
        "kind": parts[0],
        "diameter_mm": diameter,
        "contact": parts[2] if len(parts) == 3 else "avoid",
    }
