"""Tables that a benchmark keeps up to date inside a document."""

from __future__ import annotations

from pathlib import Path


def put(path: Path, name: str, text: str) -> None:
    """Put ``text`` between ``<!-- name -->`` and ``<!-- /name -->``, in place of what was there."""
    before, mark, rest = path.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (mark and end):
        message = f"{path} has no place for the table {name!r}"
        raise ValueError(message)
    path.write_text(f"{before}{mark}{text}\n{end}{after}")
