"""`surgplan models`: the networks that are there, their cards, their checksums; others added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surgplan.cli._options import need_extra
from surgplan.cli._outcome import Outcome
from surgplan.errors import ModelIntegrityError, NothingToDoError

if TYPE_CHECKING:
    from surgplan.segmentation import AdoptedModel, ModelInfo
    from surgplan.synthesis import GeneratorInfo

    Model = ModelInfo | AdoptedModel | GeneratorInfo

CARD = Path("docs/README.md")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Shipped or added model, or folder of a bundle.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Models or folders; else all shipped and added."),
]


def list_() -> Outcome:
    """The models and generators that come with surgplan, and models that were added."""
    models = _all()
    lines = [f"{m.name:<20} {m.version:<10} {m.description}" for m in models]
    text = "\n".join(lines) if lines else "no model is shipped with this installation"
    return Outcome(kind="models list", data={"models": [_facts(m) for m in models]}, text=text)


def show(name: Name) -> Outcome:
    """The model card: what it was trained on, how well it does, what it must not be used for."""
    model = _find(name)
    card = _card(model)
    return Outcome(kind="models show", data={**_facts(model), "card": card}, text=card)


def add(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="MONAI bundle or nnU-Net v2 model folder, or a zip of one; or "
            "`totalsegmentator` or `totalsegmentator-mr`: its 3 mm weights on this machine.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="To call it by; else its own.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            "--label-names",
            metavar="JSON",
            help='Where its names do not say: {"hepatic vessel": "hepatic veins", "x": "ignore"}.',
        ),
    ] = None,
) -> Outcome:
    """Add somebody else's model, to be used with `--model NAME`. Nothing in it is run.

    Its weights are stored as safetensors with their checksum in your own data folder.
    """
    need_extra("torch", "models", "ai")
    need_extra("monai", "models", "ai")
    from surgplan.io import name_structures
    from surgplan.segmentation import TOTALSEGMENTATOR_TASKS, add_model, look_into

    with look_into(path) as foreign:
        names = [n for channel, n in sorted(foreign.names.items()) if channel]
        structures = name_structures(names, what=f"the model {foreign.name!r}", table=labels)
        own = str(path) if str(path) in TOTALSEGMENTATOR_TASKS else None
        model = add_model(foreign, structures, name=name or own)
    lines = [f"{n} -> {s.name if s else 'left out'}" for n, s in structures.items()]
    text = "\n".join([*lines, f"added; use it with --model {model.name}"])
    named = {n: s.name if s else None for n, s in structures.items()}
    return Outcome(kind="models add", data={**_facts(model), "structures": named}, text=text)


def verify(names: Names = None) -> Outcome:
    """Compare weights with their checksums; ends with 9 where one does not fit."""
    models = [_find(n) for n in names] if names else _all()
    if not models:
        msg = "no model is shipped with this installation; name the folder of a bundle"
        raise NothingToDoError(msg)
    for model in models:
        model.verify()
    text = "\n".join(f"{m.name}: sha256 {m.sha256[:12]}... fits" for m in models)
    return Outcome(kind="models verify", data={"verified": [_facts(m) for m in models]}, text=text)


def _all() -> list[Model]:
    need_extra("torch", "models", "ai")
    from surgplan.segmentation import added_models, shipped_models
    from surgplan.synthesis import shipped_generators

    return [*shipped_models(), *added_models(), *shipped_generators()]


def _find(name: str) -> Model:
    need_extra("torch", "models", "ai")
    from surgplan.segmentation import find_added, find_model
    from surgplan.synthesis import FLOW, find_generator, read_generator_info, shipped_generators

    if name in {g.name for g in shipped_generators()} or (Path(name) / FLOW).is_file():
        return read_generator_info(find_generator(name))
    return find_added(name) or find_model(name)


def _facts(model: Model) -> dict[str, Any]:
    from surgplan.segmentation import AdoptedModel
    from surgplan.synthesis import GeneratorInfo

    if isinstance(model, AdoptedModel):
        own: dict[str, Any] = {"spacing_mm": model.preparation.spacing_mm, "origin": model.origin}
    else:
        own = {"spacing_mm": model.spacing_mm, "origin": "surgplan"}
    return {
        "name": model.name,
        "use": "synthesis" if isinstance(model, GeneratorInfo) else "segmentation",
        "version": model.version,
        "description": model.description,
        "folder": model.folder,
        "sha256": model.sha256,
        **own,
    }


def _card(model: Model) -> str:
    from surgplan.segmentation import AdoptedModel

    if isinstance(model, AdoptedModel):
        structures = {n: model.labels.get(c) for c, n in model.names.items() if c}
        told = {"source_sha256": model.source_sha256, "labels": structures}
        return json.dumps({**_facts(model), **told}, indent=1, default=str)
    path = model.folder / CARD
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as e:
        msg = f"model {model.name!r} has no readable card at {path}; reinstall or retrain"
        raise ModelIntegrityError(msg) from e
