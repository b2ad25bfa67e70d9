"""Many jobs, a few at a time; a failed one is told and the rest go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from surgplan.errors import SurgplanError
from surgplan.fleet._job import Job, Processes, Result
from surgplan.io import read_label_map, read_volume, write_json
from surgplan.report import write_preview

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """How a batch runs.

    Attributes
    ----------
    workers
        Studies at a time.
    timeout_s
        A study that takes longer hangs, and is stopped.
    force
        Do every study, also those that were done before.
    """

    workers: int = 1
    timeout_s: float = 3600.0
    force: bool = False


def run_batch(
    jobs: Sequence[Job],
    out: Path,
    *,
    settings: BatchSettings | None = None,
    progress: Progress | None = None,
) -> tuple[Result, ...]:
    """Do every job, each in a process of its own.

    A job that an earlier run has done, by the same command on the same inputs, is kept. In ``out``
    each study has ``previews/NAME.jpg``, and ``logs/NAME.log`` with what its process said.

    Parameters
    ----------
    jobs
        Names of studies differ.
    out
        Folder for logs, previews and what is remembered.

    Returns
    -------
    tuple of Result
        In the order of the jobs.
    """
    settings = settings or BatchSettings()
    processes = Processes()
    results: dict[str, Result] = {}
    pool = ThreadPoolExecutor(max_workers=settings.workers)
    try:
        waiting: list[Future[Result]] = [
            pool.submit(_one, job, out, settings, processes) for job in jobs
        ]
        for future in as_completed(waiting):
            result = future.result()
            results[result.name] = result
            if progress:
                progress(len(results) / len(jobs), f"{result.name}: {result.state}")
    finally:
        processes.stop()
        pool.shutdown(cancel_futures=True)
    return tuple(results[job.study.name] for job in jobs)


def _one(job: Job, out: Path, settings: BatchSettings, processes: Processes) -> Result:
    """One job to its end; what is wrong with it becomes its result."""
    name = job.study.name
    memory = out / ".batch" / f"{name}.json"
    done = {"command": list(job.command), "inputs": job.study.stamp()}
    if not settings.force:
        before = _remembered(memory, done)
        if before is not None and job.labels.exists():
            return before
    if processes.stopped:
        return Result(name=name, state="failed", message="interrupted before it began")
    memory.unlink(missing_ok=True)
    try:
        result = processes.run(job, out / "logs" / f"{name}.log", settings.timeout_s)
        if result.state == "done":
            volume = read_volume(job.image)
            preview = out / "previews" / f"{name}.jpg"
            write_preview(volume, read_label_map(job.labels), preview)
            write_json({**done, "seconds": result.seconds, "answer": result.answer}, memory)
    except (SurgplanError, OSError) as e:
        return Result(name=name, state="failed", message=str(e), exit_code=1)
    return replace(result, name=name)


def _remembered(memory: Path, wanted: dict[str, object]) -> Result | None:
    try:
        before = json.loads(memory.read_text(encoding="utf-8"))
        if any(before[key] != value for key, value in wanted.items()):
            return None
        return Result(
            name=memory.stem,
            state="kept",
            seconds=float(before["seconds"]),
            answer=dict(before["answer"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
