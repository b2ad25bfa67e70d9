"""In: napari's calls. Out: layers and docks; every number comes from surgplan."""
