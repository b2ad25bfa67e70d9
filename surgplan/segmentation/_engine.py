"""The libraries that can run a network: torch, the reference, and OpenVINO where installed."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeVar

import torch

from surgplan.errors import UsageError
from surgplan.segmentation._precision import mixed_precision, multiplies_bfloat16

T = TypeVar("T", torch.nn.Module, torch.Tensor)
Forward = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One way to run a network on the processor.

    Attributes
    ----------
    library
        ``'openvino'`` needs the extra of that name.
    dtype
        What it multiplies in; scores are float32 either way.
    layout
        Order of the axes in memory; OpenVINO chooses its own.
    """

    library: Literal["torch", "openvino"]
    dtype: Literal["float32", "bfloat16"]
    layout: Literal["contiguous", "channels_last"] = "contiguous"

    def __str__(self) -> str:
        return " ".join((self.library, self.dtype, self.layout))


REFERENCE = Engine(library="torch", dtype="float32")
_ENGINES = (
    REFERENCE,
    Engine(library="torch", dtype="bfloat16"),
    Engine(library="torch", dtype="bfloat16", layout="channels_last"),
    Engine(library="torch", dtype="float32", layout="channels_last"),
    Engine(library="openvino", dtype="float32"),
    Engine(library="openvino", dtype="bfloat16"),
)


def engines() -> tuple[Engine, ...]:
    """Those that this installation has and its processor suits, the reference first."""
    libraries = {"torch", *(["openvino"] if find_spec("openvino") else [])}
    dtypes = {"float32", *(["bfloat16"] if multiplies_bfloat16("cpu") else [])}
    return tuple(e for e in _ENGINES if e.library in libraries and e.dtype in dtypes)


def start(network: torch.nn.Module, engine: Engine, shape: tuple[int, ...]) -> Forward:
    """Make a network ready for batches ``(1, channels, slice, row, column)`` of one shape."""
    if engine.library == "openvino":
        return _openvino(network, engine, shape)
    network = _laid_out(network, engine)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        with mixed_precision("cpu", wanted=engine.dtype == "bfloat16"):
            result: torch.Tensor = network(_laid_out(batch, engine))
        return result.float().contiguous()

    return forward


def start_on(network: torch.nn.Module, device: str) -> Forward:
    """Make a network ready on a device that is no processor, in bfloat16.

    Raises
    ------
    UsageError
        If the device is not there.
    """
    try:
        network = network.to(device)
    except (RuntimeError, AssertionError) as e:
        msg = f"device {device!r} cannot be used: {e}; use --device cpu"
        raise UsageError(msg) from e

    def forward(batch: torch.Tensor) -> torch.Tensor:
        with mixed_precision(device):
            result: torch.Tensor = network(batch.to(device))
        return result.float().cpu()

    return forward


def _laid_out(what: T, engine: Engine) -> T:
    if engine.layout == "contiguous":
        return what
    if isinstance(what, torch.Tensor):
        return what.contiguous(memory_format=torch.channels_last_3d)
    return copy.deepcopy(what).to(memory_format=torch.channels_last_3d)


def _openvino(network: torch.nn.Module, engine: Engine, shape: tuple[int, ...]) -> Forward:
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings():  # torch asks to leave the tracing that OpenVINO builds on
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, torch.zeros(_smaller(shape)), check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)
    reader = FrontEndManager().load_by_framework("pytorch")
    model = reader.convert(reader.load(decoder))
    model.reshape(list(shape))
    wishes = {
        "INFERENCE_PRECISION_HINT": "bf16" if engine.dtype == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(model, "CPU", wishes).create_infer_request()

    def forward(batch: torch.Tensor) -> torch.Tensor:
        scores = request.infer({0: batch.contiguous().numpy()})[0]
        return torch.from_numpy(scores.copy())

    return forward


def _smaller(shape: tuple[int, ...]) -> list[int]:
    """A batch that a network which takes these can be traced with in less time.

    Levels halve the sides, so twice the largest power of two in a side passes wherever it does.
    """
    return [*shape[:2], *(min(n, 2 * (n & -n)) for n in shape[2:])]
