"""A network and the machine it runs on, as asked for on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surgplan.cli._options import need_extra
from surgplan.cli._terminal import Progress

if TYPE_CHECKING:
    from surgplan.segmentation import Segmentation
    from surgplan.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Network:
    """Which model, on which device, with how many threads and bytes."""

    model: str | None
    device: str
    threads: int | None
    max_memory_bytes: int | None

    def facts(self) -> Mapping[str, Any]:
        """Name, version and checksum of the model, which is verified.

        Raises `MissingExtraError` without torch or MONAI, `NothingToDoError` without the model,
        `ModelIntegrityError` if it does not have its checksum.
        """
        need_extra("torch", "segmentation by a network", "ai")
        need_extra("monai", "segmentation by a network", "ai")
        from surgplan.segmentation import find_added, find_model

        info = find_added(self.model) or find_model(self.model)
        info.verify()
        return {"name": info.name, "version": info.version, "sha256": info.sha256}

    def segment(self, volume: Volume, progress: Progress) -> Segmentation:
        """The structures in a scan; raises as `surgplan.segmentation.segment`."""
        from surgplan.segmentation import SegmentSettings
        from surgplan.segmentation import segment as segment_volume

        settings = SegmentSettings(
            model=self.model,
            device=self.device,
            threads=self.threads,
            max_memory_bytes=self.max_memory_bytes,
            progress=progress,
        )
        return segment_volume(volume, settings=settings)
