"""Networks that may be built from other people's configs: named here, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from surgplan.errors import InputRefusedError, MissingExtraError, ModelIntegrityError

_MONAI = "monai.networks.nets"
_NNUNET = "dynamic_network_architectures.architectures.unet"
ALLOWED = {
    _MONAI: (
        "AttentionUnet", "BasicUNet", "DynUNet", "FlexibleUNet", "SegResNet", "SwinUNETR", "UNETR",
        "UNet", "VNet",
    ),
    _NNUNET: ("PlainConvUNet", "ResidualEncoderUNet"),
}  # fmt: skip
_LAYERS = {
    "torch.nn.modules.conv.Conv3d": torch.nn.Conv3d,
    "torch.nn.modules.instancenorm.InstanceNorm3d": torch.nn.InstanceNorm3d,
    "torch.nn.modules.batchnorm.BatchNorm3d": torch.nn.BatchNorm3d,
    "torch.nn.modules.activation.LeakyReLU": torch.nn.LeakyReLU,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.LeakyReLU": torch.nn.LeakyReLU,
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network as plain data.

    Attributes
    ----------
    target
        Full name of its class, one of `ALLOWED`.
    arguments
        Of its constructor; layers stand by their full names.
    """

    target: str
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        module, _, name = self.target.rpartition(".")
        if name not in ALLOWED.get(module, ()):
            known = ", ".join(n for names in ALLOWED.values() for n in names)
            msg = f"network {self.target!r} is not allowed; known are {known}"
            raise InputRefusedError(msg)
        _check_plain(self.arguments, self.target)

    def build(self) -> torch.nn.Module:
        """The network with fresh weights.

        Raises
        ------
        MissingExtraError
            If its library is not installed.
        ModelIntegrityError
            If the arguments do not fit it.
        """
        module, _, name = self.target.rpartition(".")
        try:
            if module == _NNUNET:
                from dynamic_network_architectures.architectures import unet as nets
            else:
                from monai.networks import nets
        except ImportError as e:
            feature = "a network of nnU-Net" if module == _NNUNET else "a network of MONAI"
            raise MissingExtraError(feature, "nnunet" if module == _NNUNET else "ai") from e
        arguments = {k: _layer(v) for k, v in self.arguments.items()}
        try:
            network: torch.nn.Module = getattr(nets, name)(**arguments)
        except (TypeError, ValueError, AttributeError, KeyError, AssertionError) as e:
            msg = f"the arguments of {name} do not fit it: {e}; add the model's original files"
            raise ModelIntegrityError(msg) from e
        return network.eval()


def _layer(value: Any) -> Any:
    return _LAYERS.get(value, value) if isinstance(value, str) else value


def _check_plain(value: object, target: str) -> None:
    """Refuse expressions and references, which a config could run code with."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            _check_plain(key, target)
            _check_plain(part, target)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check_plain(part, target)
    elif isinstance(value, str) and (value.startswith(("$", "@", "%")) or value == "_target_"):
        msg = f"an argument of {target} is the expression {value!r}; write out its value"
        raise InputRefusedError(msg)
