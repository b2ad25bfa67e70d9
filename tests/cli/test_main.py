"""The frame around every command: exit codes, streams, speed."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

import surgplan
from surgplan import errors
from surgplan.cli import _app, main
from surgplan.cli._outcome import Outcome
from surgplan.cli._terminal import terminal

HEAVY = ("torch", "monai", "vtk", "vtkmodules", "pyvista", "napari", "qtpy", "PySide6", "pandas")


def _loaded_after(code: str) -> set[str]:
    probe = f"{code}\nimport sys\nprint('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    line = next(s for s in done.stdout.splitlines() if s.startswith("LOADED"))
    return {name.split(".")[0] for name in line.split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = _loaded_after("from surgplan.cli import main\nmain(['--help'])")
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def test_the_test_above_would_see_a_heavy_library() -> None:
    assert "pyvista" in _loaded_after("import pyvista")


def test_help_takes_at_most_half_a_second() -> None:
    command = [sys.executable, "-c", "from surgplan.cli import main; raise SystemExit(main())"]

    def seconds() -> float:  # of the processor: what else runs on the machine is not ours
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(seconds() for _ in range(5)) <= 0.5


def test_version(surgplan_cli) -> None:
    told = surgplan_cli("--version")
    assert (told.code, told.out) == (0, f"surgplan {surgplan.__version__}\n")


def test_help_says_that_this_is_no_medical_device(surgplan_cli) -> None:
    told = surgplan_cli("--help")
    assert told.code == 0
    assert "Not a medical device" in " ".join(told.out.split())


@pytest.mark.parametrize("words", [[], ["nonsense"], ["doctor", "--nonsense"], ["mesh"]])
def test_a_bad_call_is_one_line_and_2(surgplan_cli, words) -> None:
    told = surgplan_cli(*words)
    assert told.code == 2
    assert "--help" in told.error


def test_a_bad_call_is_told_as_json_too(surgplan_cli) -> None:
    told = surgplan_cli("doctor", "--nonsense", "--json")
    assert told.answer["exit_code"] == told.code == 2
    assert told.answer["message"] == told.error


@pytest.fixture
def command_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Put one command, ``try``, that does as told in the place of all others."""

    def install(act: Callable[[], object]) -> None:
        def attempt() -> Outcome:
            act()
            return Outcome(kind="attempt", data={"numbers": [float("nan"), 1.5]}, text="done")

        monkeypatch.setattr(_app, "COMMANDS", (attempt,))

    return install


def _raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


ERRORS = [
    e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.SurgplanError)
]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda e: e.__name__)
def test_every_error_of_ours_ends_with_its_code(surgplan_cli, command_that, kind) -> None:
    words = ("viewing", "gui") if kind is errors.MissingExtraError else ("a rule;\na way out",)
    command_that(_raising(kind(*words)))
    told = surgplan_cli("attempt", "--json")
    assert told.code == kind.exit_code == told.answer["exit_code"]
    assert told.answer["error"] == kind.__name__
    assert told.error == ("a rule; a way out" if len(words) == 1 else told.answer["message"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (MemoryError("cannot allocate"), 6),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 5),
        (RuntimeError("unforeseen"), 1),
    ],
)
def test_other_ways_to_fail(surgplan_cli, command_that, error, code) -> None:
    command_that(_raising(error))
    told = surgplan_cli("attempt")
    assert (told.code, told.out) == (code, "")
    assert told.error


def test_an_internal_error_names_debug_and_debug_shows_the_traceback(
    surgplan_cli, command_that
) -> None:
    command_that(_raising(RuntimeError("unforeseen")))
    assert "--debug" in surgplan_cli("attempt").error
    for words in (("--debug", "attempt"), ("attempt", "--debug")):
        told = surgplan_cli(*words)
        assert told.code == 1
        assert "Traceback (most recent" in told.err


def test_text_that_could_steer_the_terminal_is_taken_out(surgplan_cli, command_that) -> None:
    command_that(_raising(errors.CorruptFileError("series \x1b[2J\x07 is off")))
    assert surgplan_cli("attempt").error == "series [2J is off"


def test_json_is_the_only_thing_on_stdout(surgplan_cli, command_that) -> None:
    command_that(lambda: sys.stdout.write("chatter of a library"))
    told = surgplan_cli("attempt", "--json")
    assert told.answer["numbers"] == [None, 1.5]
    assert "chatter of a library" in told.err


def test_words_end_in_the_disclaimer(surgplan_cli, command_that) -> None:
    command_that(lambda: None)
    assert surgplan_cli("attempt").out == f"done\n{surgplan.NOT_A_MEDICAL_DEVICE}\n"


@pytest.mark.parametrize(("words", "said"), [((), "working ...\n"), (("--quiet",), "")])
def test_progress_off_a_terminal_is_one_line(surgplan_cli, command_that, words, said) -> None:
    def work() -> None:
        with terminal().progress("working") as progress:
            progress(0.5)

    command_that(work)
    assert surgplan_cli("attempt", *words).err == said


def test_progress_on_a_terminal_is_a_bar_on_stderr_with_the_time_left() -> None:
    code = (
        "import time; from surgplan.cli._terminal import Terminal\n"
        "with Terminal().progress('working') as p:\n"
        "    for i in range(3): p(i / 4); time.sleep(0.4)\n"
    )
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout == b""
    assert "working" in shown
    assert " 25 %" in shown
    assert "0:00:0" in shown


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = (
        "from surgplan.cli import _app, main; from surgplan.cli._outcome import Outcome\n"
        "def attempt() -> Outcome: return Outcome(kind='attempt', data={}, text='much')\n"
        "_app.COMMANDS = (attempt,); raise SystemExit(main(['attempt']))"
    )
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([sys.executable, "-c", code], stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


def test_quiet_and_json_wishes_end_with_the_command(surgplan_cli, command_that) -> None:
    command_that(lambda: None)
    surgplan_cli("attempt", "--json", "--quiet")
    assert not terminal().json
    assert not terminal().quiet


def test_main_takes_the_words_of_the_process(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["surgplan", "--version"])
    assert main() == 0
    assert surgplan.__version__ in capsys.readouterr().out
