"""In: many scans. Out: the same work done on each, one failure never stopping the rest.

Every study runs in a process of its own; what was done is remembered, so that a batch goes on
where it was interrupted.
"""

from surgplan.fleet._batch import BatchSettings, run_batch
from surgplan.fleet._job import Job, Result
from surgplan.fleet._studies import Study, read_studies
from surgplan.fleet._summary import SUMMARY_COLUMNS, write_summary

__all__ = [
    "SUMMARY_COLUMNS",
    "BatchSettings",
    "Job",
    "Result",
    "Study",
    "read_studies",
    "run_batch",
    "write_summary",
]
