"""In: words on a terminal. Out: exit codes, and one JSON object on stdout with `--json`."""
