"""In: words on a terminal. Out: exit codes, and one JSON object on stdout with `--json`.

`main` is the program; everything else here is reached through it.
"""

from surgplan.cli._main import main

__all__ = ["main"]
