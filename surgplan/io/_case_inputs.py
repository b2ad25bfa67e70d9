"""What a case was made of: which input, which software."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from surgplan.errors import InputRefusedError, NothingToDoError
from surgplan.io._guard import sha256_of

_LIBRARIES = ("surgplan", "numpy", "scipy", "SimpleITK", "nibabel", "pydicom", "highdicom", "vtk")


@dataclass(frozen=True, kw_only=True)
class CaseInput:
    """One input of a case.

    Attributes
    ----------
    role
        ``'scan'`` or ``'labels'``.
    name
        Last part of its path.
    files, size
        How many files it has, and bytes in all.
    sha256
        Of the file; of a folder, of the sorted sums of its files, so that names do not count.
    """

    role: str
    name: str
    files: int
    size: int
    sha256: str

    @classmethod
    def of(cls, role: str, path: Path | str) -> CaseInput:
        """Read and sum up a file or folder.

        Raises `NothingToDoError` if there is none, `InputRefusedError` if it cannot be read.
        """
        path = Path(path)
        try:
            found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            if not found or not found[0].is_file():
                msg = f"no input at {path}; give a scan: DICOM folder or zip, NIfTI, NRRD or MHA"
                raise NothingToDoError(msg)
            sums = [sha256_of(p) for p in found]
            size = sum(p.stat().st_size for p in found)
        except OSError as e:
            msg = f"cannot read {path}: {e.strerror}; check its rights"
            raise InputRefusedError(msg) from e
        whole = sums[0]
        if path.is_dir():
            whole = hashlib.sha256("\n".join(sorted(sums)).encode()).hexdigest()
        name = path.resolve().name
        return cls(role=role, name=name, files=len(found), size=size, sha256=whole)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``case.json``."""
        return {
            "role": self.role,
            "name": self.name,
            "files": self.files,
            "bytes": self.size,
            "sha256": self.sha256,
        }


def software() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
