"""The page on paper, where the optional library for it is installed."""

from __future__ import annotations

import importlib
import logging

NEEDS = (
    "no report.pdf: it needs weasyprint (pip install 'surgplan[pdf]') and its system library pango"
)


def pdf_of(html: str) -> bytes | None:
    """The page as PDF; None where weasyprint, or pango below it, is missing."""
    try:
        weasyprint = importlib.import_module("weasyprint")
    except (ImportError, OSError):  # OSError: the Python package is there, its C library is not
        return None
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it warns of CSS meant for screens
    pdf: bytes = weasyprint.HTML(string=html).write_pdf()
    return pdf
