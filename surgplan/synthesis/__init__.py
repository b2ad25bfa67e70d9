"""In: label maps, as tensors on one grid. Out: CT- and MR-like images that fit them exactly.

Domain randomisation, spatial warps and lesions painted on the fly, all seeded.
"""

from surgplan.synthesis._draw import DrawSettings, draw_image
from surgplan.synthesis._intensity import perturb_scan
from surgplan.synthesis._lesion import LesionSettings, paint_lesions
from surgplan.synthesis._phase import PHASES, phase_means_hu
from surgplan.synthesis._tissue import UNLABELLED, unlabelled_tissue
from surgplan.synthesis._warp import WarpSettings, sampling_grid, warp

__all__ = [
    "PHASES",
    "UNLABELLED",
    "DrawSettings",
    "LesionSettings",
    "WarpSettings",
    "draw_image",
    "paint_lesions",
    "perturb_scan",
    "phase_means_hu",
    "sampling_grid",
    "unlabelled_tissue",
    "warp",
]
