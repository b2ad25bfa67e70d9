"""In: napari's calls. Out: layers and docks; every number comes from surgplan."""

from napari_surgplan._layers import case_layers
from napari_surgplan._window import open_case

__all__ = ["case_layers", "open_case"]
