"""`surgplan phantom`: an upper abdomen with a known answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import surgplan
from surgplan.cli._options import SeedOption, numbers_of
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_folder
from surgplan.cli._structures import structures, structures_table
from surgplan.cli._terminal import terminal

FILES = {
    "ct": "ct_synthetic.nii.gz",
    "mr": "mr_synthetic.nii.gz",
    "labels": "labels.nii.gz",
    "couinaud": "couinaud.nii.gz",
    "answers": "phantom.json",
}


def phantom(
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the files.")],
    seed: SeedOption = 0,
    spacing_mm: Annotated[
        str,
        typer.Option(metavar="MM", help="Along slice,row,column, or one number for all."),
    ] = "2.5,1.5,1.5",
    lesions: Annotated[int, typer.Option(min=0, max=30, help="How many to draw.")] = 3,
) -> Outcome:
    """Write a synthetic CT and MR with exact labels, Couinaud segments and known answers."""
    from surgplan.io import write_json, write_label_map, write_volume
    from surgplan.phantom import PhantomSettings, make_phantom, render_ct, render_mr

    steps = numbers_of(spacing_mm, 3, "--spacing-mm")
    settings = PhantomSettings(
        seed=seed, spacing_mm=(steps[0], steps[1], steps[2]), lesions=lesions
    )
    check_folder(out_dir)
    with terminal().progress("building the phantom") as progress:
        body = make_phantom(settings)
        progress(0.4, "rendering CT")
        ct = render_ct(body, seed=seed)
        progress(0.6, "rendering MR")
        mr = render_mr(body, seed=seed)
        progress(0.8, "writing")
        write_volume(ct, out_dir / FILES["ct"])
        write_volume(mr, out_dir / FILES["mr"])
        write_label_map(body.label_map, out_dir / FILES["labels"])
        write_label_map(body.couinaud, out_dir / FILES["couinaud"])
        answers = {
            "synthetic": True,
            "notice": surgplan.NOT_A_MEDICAL_DEVICE,
            "surgplan_version": surgplan.__version__,
            "seed": seed,
            "spacing_mm": steps,
            **body.known_answers(),
        }
        write_json(answers, out_dir / FILES["answers"])
    data = {
        "synthetic": True,
        "files": {role: out_dir / name for role, name in FILES.items()},
        "seed": seed,
        "spacing_mm": steps,
        "structures": structures(body.label_map),
    }
    table = structures_table(body.label_map, title=f"synthetic abdomen in {out_dir}")
    return Outcome(kind="phantom", data=data, text=table)
