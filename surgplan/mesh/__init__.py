"""In: label maps. Out: closed, smooth surfaces in LPS millimetres that keep their volume.

Also simplification to a number of triangles, and distances between surfaces.
"""

from surgplan.mesh._distances import SurfaceDistances, distances_mm
from surgplan.mesh._polydata import from_polydata, to_polydata
from surgplan.mesh._reconstruct import reconstruct, reconstruct_all, reconstruct_mask
from surgplan.mesh._simplify import simplify
from surgplan.mesh._surface import Surface

__all__ = [
    "Surface",
    "SurfaceDistances",
    "distances_mm",
    "from_polydata",
    "reconstruct",
    "reconstruct_all",
    "reconstruct_mask",
    "simplify",
    "to_polydata",
]
