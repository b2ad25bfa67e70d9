"""Regenerate sample_volumes/: a synthetic abdomen as CT and MR with labels and known answers.

Usage: python scripts/make_samples.py [FOLDER]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import surgplan
from surgplan.io import sha256_of, write_dicom_series, write_json, write_label_map, write_volume
from surgplan.phantom import (
    PHANTOM_VERSION,
    Phantom,
    PhantomSettings,
    make_phantom,
    render_ct,
    render_mr,
)
from surgplan.volume import Volume

SEED = 5
SETTINGS = PhantomSettings(seed=SEED, spacing_mm=(2.5, 1.75, 1.75))
DICOM_SETTINGS = PhantomSettings(seed=SEED, spacing_mm=(6.0, 2.7, 2.7))
CT = "synthetic_liver_ct.nii.gz"
MR = "synthetic_liver_mr.nii.gz"
LABELS = "liver_labels.nii.gz"
COUINAUD = "liver_couinaud.nii.gz"
DICOM = "dicom"
MANIFEST = "manifest.json"
LICENCE = "CC0-1.0 (data); the code that makes it is Apache-2.0"


def sample_phantom() -> Phantom:
    """The phantom that the samples show."""
    return make_phantom(SETTINGS)


def sample_ct(phantom: Phantom) -> Volume:
    """Its portal-phase CT."""
    return render_ct(phantom, seed=SEED, phase="portal")


def sample_mr(phantom: Phantom) -> Volume:
    """Its T1-weighted MR."""
    return render_mr(phantom, seed=SEED, sequence="t1")


def sample_dicom(phantom: Phantom) -> Volume:
    """The same body with thicker slices, for the DICOM series."""
    return render_ct(phantom.on(DICOM_SETTINGS.grid()), seed=SEED, phase="portal")


def manifest(phantom: Phantom, folder: Path) -> dict[str, Any]:
    """What the samples are, their checksums and the known answers."""
    files = [folder / name for name in (CT, MR, LABELS, COUINAUD)]
    files += sorted((folder / DICOM).iterdir())
    return {
        "schema": 1,
        "synthetic": True,
        "notice": surgplan.NOT_A_MEDICAL_DEVICE,
        "what": "procedural upper abdomen from surgplan.phantom; no patient, no scan behind it",
        "made_by": "scripts/make_samples.py",
        "licence": LICENCE,
        "phantom_version": PHANTOM_VERSION,
        "seed": SEED,
        "ct": {"file": CT, "phase": "portal", "render_seed": SEED},
        "mr": {"file": MR, "sequence": "t1", "render_seed": SEED},
        "labels": LABELS,
        "couinaud": COUINAUD,
        "dicom": {"folder": DICOM, "spacing_mm": DICOM_SETTINGS.spacing_mm, "render_seed": SEED},
        "files": [
            {
                "path": p.relative_to(folder).as_posix(),
                "bytes": p.stat().st_size,
                "sha256": sha256_of(p),
            }
            for p in files
        ],
        "known_answers": phantom.known_answers(),
    }


def main(folder: Path) -> None:
    """Write every sample into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / DICOM, ignore_errors=True)
    phantom = sample_phantom()
    write_volume(sample_ct(phantom), folder / CT)
    write_volume(sample_mr(phantom), folder / MR)
    write_label_map(phantom.label_map, folder / LABELS)
    write_label_map(phantom.couinaud, folder / COUINAUD)
    write_dicom_series(
        sample_dicom(phantom),
        folder / DICOM,
        seed=SEED,
        description="Phantom liver CT",
        synthetic=True,
    )
    write_json(manifest(phantom, folder), folder / MANIFEST)
    total = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "sample_volumes")
