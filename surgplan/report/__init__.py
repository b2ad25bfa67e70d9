"""In: a scan, its structures and its plans. Out: one HTML page that stands alone, and JSON.

Research and education only: not a medical device, and the page says so.
"""

from surgplan.report._facts import SCHEMA
from surgplan.report._input import ReportInput
from surgplan.report._pdf import NEEDS as PDF_NEEDS
from surgplan.report._preview import write_preview
from surgplan.report._warnings import mean_confidence
from surgplan.report._write import WrittenReport, write_report

__all__ = [
    "PDF_NEEDS",
    "SCHEMA",
    "ReportInput",
    "WrittenReport",
    "mean_confidence",
    "write_preview",
    "write_report",
]
