"""`surgplan mesh`: surfaces of labelled structures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from surgplan.cli._options import LabelNamesOption, words_of
from surgplan.cli._outcome import Outcome
from surgplan.cli._places import check_folder
from surgplan.cli._terminal import terminal

FORMATS = ("stl", "glb", "vtp", "ply")


def mesh(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help=".seg.nrrd, .nii.gz, .nrrd or DICOM SEG.")
    ],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the surfaces.")],
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help="Some of stl,glb,vtp,ply.")
    ] = "stl,glb",
    triangles: Annotated[
        int | None, typer.Option("--triangles", min=100, help="At most, per structure.")
    ] = None,
    label_names: LabelNamesOption = None,
) -> Outcome:
    """Closed surfaces of every structure in a label map, in LPS millimetres.

    stl, vtp and ply are one file per structure; glb is one scene of all, in metres.
    """
    from surgplan.io import read_label_map, write_scene, write_surface
    from surgplan.mesh import reconstruct_all

    kinds = words_of(formats, FORMATS, "--format")
    check_folder(out_dir)
    label_map = read_label_map(labels, label_names=label_names)
    with terminal().progress("building surfaces"):
        surfaces = reconstruct_all(label_map, triangles=triangles)
    names = [file_name(n, s.segment.name) for n, s in enumerate(surfaces)]
    written: list[Path] = []
    for kind in kinds:
        if kind == "glb":
            written.append(out_dir / "scene.glb")
            write_scene(surfaces, written[-1])
            continue
        for surface, name in zip(surfaces, names, strict=True):
            written.append(out_dir / f"{name}.{kind}")
            write_surface(surface, written[-1])
    rows = [
        {
            "name": s.segment.name,
            "file": n,
            "triangles": len(s.triangles),
            "volume_ml": round(s.volume_ml, 3),
            "area_mm2": round(s.area_mm2, 1),
        }
        for s, n in zip(surfaces, names, strict=True)
    ]
    lines = [
        f"{r['name']:<26} {r['volume_ml']:>9.1f} ml {r['triangles']:>8} triangles" for r in rows
    ]
    text = "\n".join([*lines, f"{len(written)} files in {out_dir}"])
    return Outcome(kind="mesh", data={"files": written, "surfaces": rows}, text=text)


def file_name(number: int, name: str) -> str:
    """A file name of a structure's name, safe on every system.

    >>> file_name(2, "Portal vein (left)")
    '02_portal_vein_left'
    """
    return f"{number:02d}_" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
