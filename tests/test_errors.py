"""The tree in the docstring of `surgplan.errors` is the tree of classes."""

from __future__ import annotations

import inspect
import re

import pytest

from surgplan import errors

_LINE = re.compile(
    r"^(?P<stem>[│ ]*(?:[├└]── )?)(?P<name>\w+)(?: \((?P<builtin>\w+)\))?\s*(?P<rest>.*)$"
)


def _drawn() -> list[tuple[str, str | None, str | None, int | None]]:
    """Name, parent, builtin base and exit code of every line of the drawing, from the top."""
    block = inspect.cleandoc(errors.__doc__ or "").split("::", 1)[1].split("\n\nA message")[0]
    rows: list[tuple[str, str | None, str | None, int | None]] = []
    path: list[str] = []
    for line in block.splitlines():
        found = _LINE.match(line.removeprefix("    "))
        if not line.strip() or found is None:
            assert not line.strip(), f"this line of the drawing cannot be read: {line!r}"
            continue
        depth = len(found["stem"]) // 4
        path[depth:] = [found["name"]]
        code = re.match(r"(\d+)  ", found["rest"])
        parent = path[depth - 1] if depth else None
        rows.append((found["name"], parent, found["builtin"], int(code[1]) if code else None))
    return rows


DRAWN = _drawn()
CLASSES = {
    name: thing
    for name, thing in vars(errors).items()
    if inspect.isclass(thing) and thing.__module__ == errors.__name__
}


def test_every_class_is_drawn_and_every_drawn_class_is_there() -> None:
    assert sorted(name for name, *_ in DRAWN) == sorted(CLASSES)
    assert len(DRAWN) > 20


@pytest.mark.parametrize(("name", "parent", "builtin", "code"), DRAWN, ids=[r[0] for r in DRAWN])
def test_a_class_hangs_where_it_is_drawn(
    name: str, parent: str | None, builtin: str | None, code: int | None
) -> None:
    bases = [base.__name__ for base in CLASSES[name].__bases__]
    assert bases[0] == (parent or "Exception")
    assert bases[1:] == ([builtin] if builtin else [])
    inherited = CLASSES[parent].exit_code if parent else None
    assert CLASSES[name].exit_code == (inherited if code is None else code)


def test_exit_codes_mean_one_thing_each() -> None:
    tops = [c for c in CLASSES.values() if c.__bases__[0] is errors.SurgplanError]
    codes = [c.exit_code for c in tops]
    assert sorted(codes) == [2, 3, 4, 5, 6, 7, 8, 9]
    assert errors.SurgplanError.exit_code == 1


def test_a_missing_extra_names_the_line_that_installs_it() -> None:
    error = errors.MissingExtraError("segmentation", "ai")
    assert str(error) == "segmentation needs an extra: pip install 'surgplan[ai]'"
    assert isinstance(error, ImportError)
