"""Write a report into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from surgplan.io import atomic_file, write_json
from surgplan.report._facts import facts_of
from surgplan.report._html import page
from surgplan.report._input import ReportInput
from surgplan.report._pdf import NEEDS, pdf_of
from surgplan.report._pictures import pictures_of


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """Files of a report.

    Attributes
    ----------
    html, json
        The page and its numbers.
    pdf
        The page on paper; None where the extra ``pdf`` is not installed.
    no_3d_because
        Why the page has no 3D pictures; empty where it has.
    """

    html: Path
    json: Path
    pdf: Path | None
    no_3d_because: str


def write_report(
    report: ReportInput, folder: Path | str, *, created: datetime | None = None
) -> WrittenReport:
    """Write ``report.html``, one page that stands alone, and ``report.json``, the same numbers.

    Also ``report.pdf`` where weasyprint is installed (extra ``pdf``).

    Parameters
    ----------
    report
        What to report on.
    folder
        Where; made if missing. Older reports there are replaced, each file in one step.
    created
        Time named in the report, now by default; all else is the same for the same input.

    Returns
    -------
    WrittenReport
        The files, and why there are no 3D pictures where OpenGL is missing: that is no error.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    UsageError
        If the provenance holds something other than finite JSON values.
    """
    folder = Path(folder)
    facts = facts_of(report, (created or datetime.now(UTC)).astimezone(UTC))
    pictures = pictures_of(report)
    facts["pictures"] = {
        "no_3d_because": pictures.no_3d_because,
        "window": pictures.window,
        "tumours_without_slices": pictures.tumours_without_slices,
    }
    html = page(facts, pictures)
    pdf = pdf_of(html)
    facts["pdf"] = "report.pdf" if pdf is not None else NEEDS
    write_json(facts, folder / "report.json")
    _write(html.encode(), folder / "report.html")
    if pdf is None:
        (folder / "report.pdf").unlink(missing_ok=True)  # an older one would tell other numbers
    else:
        _write(pdf, folder / "report.pdf")
    return WrittenReport(
        html=folder / "report.html",
        json=folder / "report.json",
        pdf=None if pdf is None else folder / "report.pdf",
        no_3d_because=pictures.no_3d_because,
    )


def _write(content: bytes, path: Path) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
