"""`surgplan models`: the networks that are there, their cards, their checksums."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgplan.cli._options import need_extra
from surgplan.cli._outcome import Outcome
from surgplan.errors import ModelIntegrityError, NothingToDoError

if TYPE_CHECKING:
    from surgplan.segmentation import ModelInfo

CARD = Path("docs/README.md")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Shipped model or folder of a bundle.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Shipped models or folders; else all shipped."),
]


def list_() -> Outcome:
    """The models that come with surgplan."""
    models = _shipped()
    lines = [f"{m.name:<20} {m.version:<10} {m.description}" for m in models]
    text = "\n".join(lines) if lines else "no model is shipped with this installation"
    return Outcome(kind="models list", data={"models": [_facts(m) for m in models]}, text=text)


def show(name: Name) -> Outcome:
    """The model card: what it was trained on, how well it does, what it must not be used for."""
    model = _find(name)
    card = _card(model)
    return Outcome(kind="models show", data={**_facts(model), "card": card}, text=card)


def verify(names: Names = None) -> Outcome:
    """Compare weights with their checksums; ends with 9 where one does not fit."""
    models = [_find(n) for n in names] if names else list(_shipped())
    if not models:
        msg = "no model is shipped with this installation; name the folder of a bundle"
        raise NothingToDoError(msg)
    for model in models:
        model.verify()
    text = "\n".join(f"{m.name}: sha256 {m.sha256[:12]}... fits" for m in models)
    return Outcome(kind="models verify", data={"verified": [_facts(m) for m in models]}, text=text)


def _shipped() -> tuple[ModelInfo, ...]:
    need_extra("torch", "models", "ai")
    from surgplan.segmentation import shipped_models

    return shipped_models()


def _find(name: str) -> ModelInfo:
    need_extra("torch", "models", "ai")
    from surgplan.segmentation import find_model

    return find_model(name)


def _facts(model: ModelInfo) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "description": model.description,
        "folder": model.folder,
        "sha256": model.sha256,
        "spacing_mm": model.spacing_mm,
    }


def _card(model: ModelInfo) -> str:
    path = model.folder / CARD
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as e:
        msg = f"model {model.name!r} has no readable card at {path}; reinstall or retrain"
        raise ModelIntegrityError(msg) from e
