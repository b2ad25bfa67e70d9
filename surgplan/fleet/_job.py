"""One study's work in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from surgplan.fleet._studies import Study

State = Literal["done", "kept", "failed"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done with a study.

    Attributes
    ----------
    study
        The scan.
    command
        Words of the process; its last line on stdout is one JSON object, also where it fails.
    image, labels
        Scan and labels that the preview is drawn from; the labels exist once the work is done.
    """

    study: Study
    command: tuple[str, ...]
    image: Path
    labels: Path


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a study.

    Attributes
    ----------
    name
        Of the study.
    state
        ``'done'`` now, ``'kept'`` from an earlier run, or ``'failed'``.
    message
        Why it failed; else empty.
    exit_code
        Of its process; negative where a signal ended it.
    seconds
        That the work took, in whichever run.
    answer
        The JSON object that the process answered with.
    """

    name: str
    state: State
    message: str = ""
    exit_code: int = 0
    seconds: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)


class Processes:
    """The processes under way, which end together when the batch is interrupted."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def run(self, job: Job, log: Path, timeout_s: float) -> Result:
        """Do a job to its end, or stop it where it hangs; what it says on stderr goes to a log."""
        start = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                job.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
            )
            self._running.add(process)
            try:
                out, _ = process.communicate(timeout=timeout_s)
                late = False
            except subprocess.TimeoutExpired:
                process.kill()
                out, _ = process.communicate()
                late = True
            finally:
                self._running.discard(process)
        seconds = round(time.monotonic() - start, 1)
        message = f"no end within {timeout_s / 60:g} minutes; stopped" if late else ""
        return _result(job.study.name, process.returncode, out, message, seconds)

    def stop(self) -> None:
        """End every process; those not yet begun do not begin."""
        self.stopped = True
        for process in list(self._running):
            process.terminate()


def _result(name: str, code: int, out: str, message: str, seconds: float) -> Result:
    answer = _answer(out)
    if code == 0 and answer and not message:
        return Result(name=name, state="done", seconds=seconds, answer=answer)
    if not message and code < 0:
        message = f"ended by {signal.Signals(-code).name}; perhaps too little memory"
    message = message or str(answer.get("message", "")) or f"ended with {code}, see its log"
    return Result(name=name, state="failed", message=message, exit_code=code, seconds=seconds)


def _answer(out: str) -> dict[str, Any]:
    lines = out.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
