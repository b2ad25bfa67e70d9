"""Segment many scans: label maps, previews and a summary, one failure never stopping the rest.

    python scripts/segment_batch.py INPUTS OUT_DIR [--workers 2] [--model NAME] [--timeout-min 60]

INPUTS is a folder of scans or a CSV manifest with the column scan. The same call again goes on
where an earlier one was interrupted. Ends with 8 where a scan failed.

Research and education only. Not a medical device.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from surgplan.errors import BatchError, SurgplanError
from surgplan.fleet import BatchSettings, Job, Study, read_studies, run_batch, write_summary

PROGRAM = (sys.executable, "-c", "from surgplan.cli import main; raise SystemExit(main())")


def main() -> int:
    """Read the call, do the work, say what became of each scan."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("inputs", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model", default=None)
    parser.add_argument("--timeout-min", type=float, default=60.0)
    options = parser.parse_args()
    settings = BatchSettings(workers=options.workers, timeout_s=60 * options.timeout_min)
    try:
        studies = read_studies(options.inputs)
        jobs = [job_for(study, options.out_dir, options.model) for study in studies]
        results = run_batch(jobs, options.out_dir, settings=settings, progress=show)
        write_summary(results, options.out_dir)
    except SurgplanError as error:
        print(f"segment_batch: {error}", file=sys.stderr)
        return error.exit_code
    failed = [result for result in results if result.state == "failed"]
    for result in failed:
        print(f"{result.name} failed: {result.message}", file=sys.stderr)
    print(options.out_dir / "summary.html")
    return BatchError.exit_code if failed else 0


def job_for(study: Study, out_dir: Path, model: str | None) -> Job:
    """`surgplan segment` for one scan."""
    labels = out_dir / study.name / "labels.nii.gz"
    words = ["--json", "--quiet"]
    for option, value in (("model", model), ("modality", study.modality), ("series", study.series)):
        if value:
            words += [f"--{option}", value]
    command = (*PROGRAM, "segment", *words, "--", str(study.scan), str(labels))
    return Job(study=study, command=command, image=study.scan, labels=labels)


def show(fraction: float, word: str) -> None:
    """One line for each scan that has come to its end."""
    print(f"{100 * fraction:3.0f} % {word}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
