"""Frozen dataclasses to JSON values and back, strictly."""

from __future__ import annotations

import types
from dataclasses import asdict, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from surgplan.errors import CorruptFileError
from surgplan.planning._resection import is_number

Record = TypeVar("Record")


def to_json(record: Any) -> Any:
    """A dataclass as plain dicts and lists, all its fields by name."""
    return _plain(asdict(record))


def from_json(kind: type[Record], data: Any, where: str = "") -> Record:
    """A dataclass from the dicts and lists of `to_json`.

    Raises
    ------
    CorruptFileError
        If a field is missing, unknown or of another type; names it.
    """
    if not isinstance(data, dict):
        raise _refused(where, "an object", data)
    hints = get_type_hints(kind)
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if set(data) != names:
        odd = sorted(set(data) ^ names)
        raise _refused(where, f"exactly the fields of {kind.__name__}", f"a difference in {odd}")
    return kind(**{n: _value(hints[n], data[n], f"{where}.{n}".lstrip(".")) for n in sorted(names)})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(parts[0], value, where)
    if origin is tuple:
        return _sequence(parts, value, where)
    if origin is Literal:
        fits = value in parts
    elif hint is float:
        fits = is_number(value)
        value = float(value) if fits else value
    elif hint in (int, str, bool):
        fits = type(value) is hint
    else:
        return from_json(hint, value, where)
    if not fits:
        raise _refused(where, str(getattr(hint, "__name__", hint)), value)
    return value


def _sequence(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refused(where, "a list", value)
    hints = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
    if len(hints) != len(value):
        raise _refused(where, f"{len(hints)} values", value)
    pairs = enumerate(zip(hints, value, strict=True))
    return tuple(_value(hint, item, f"{where}[{i}]") for i, (hint, item) in pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _refused(where: str, wanted: str, got: object) -> CorruptFileError:
    return CorruptFileError(f"`{where or 'record'}` must be {wanted}, got {got}; save it again")
