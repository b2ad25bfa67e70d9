"""Volumes, label maps and surfaces as napari layers, in millimetres.

napari's world is LPS read backwards, ``(z, y, x)``: a slice across z then stands as radiologists
read it, the patient's right on the left of the picture and the front at the top.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_surgplan._solids import Solid
from surgplan.io import Case, read_surface
from surgplan.mesh import Surface
from surgplan.volume import LIVER, Geometry, LabelMap, Volume, reorient, resample_to

LayerData = tuple[Any, dict[str, Any], str]
"""Data, settings and kind of a layer, as napari takes them."""

AXES: dict[str, Any] = {"units": ("mm", "mm", "mm"), "axis_labels": ("z", "y", "x")}
STRAIGHT_WITHIN_MM = 0.01
LIVER_WINDOW_HU = (-110.0, 240.0)
LIVER_OPACITY = 0.45
LIGHT = np.array([-0.4, -0.7, 0.6]) / np.linalg.norm([-0.4, -0.7, 0.6])
"""From the patient towards the light, LPS."""
SHADOW = 0.35
LABEL_MAP, SEGMENT = "surgplan_label_map", "surgplan_segment"
"""Keys in the metadata of layers: what they show, for writers."""
SURE, UNSURE = 0.9, 0.4
"""Probabilities that a model gives to its choice: nothing to see above, brightest below."""

Image = TypeVar("Image", Volume, LabelMap)
_upright: dict[int, tuple[weakref.ref[Any], Any]] = {}


def to_world(points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """LPS millimetres ``(..., 3)`` as (x, y, z) to napari's world (z, y, x); its own inverse."""
    return np.asarray(points_mm, dtype=np.float64)[..., ::-1]


def case_layers(case: Case) -> list[LayerData]:
    """The layers of a case folder: scan, structures, surfaces. Raises as `Case` does."""
    label_map = case.read_labels()
    segments = {s.label: s for s in label_map.segments}
    written: Mapping[str, int] = case.facts("surfaces").get("labels", {})
    surfaces = [read_surface(case.folder / name, segments[n]) for name, n in written.items()]
    return layers_of(case.read_image(), label_map, surfaces)


def layers_of(
    volume: Volume, label_map: LabelMap, surfaces: Sequence[Surface] = ()
) -> list[LayerData]:
    """The layers of a case, the image at the bottom and the translucent liver on top."""
    ordered = sorted(surfaces, key=lambda s: s.segment.code == LIVER.code)
    return [image_layer(volume), labels_layer(label_map), *map(surface_layer, ordered)]


def image_layer(volume: Volume) -> LayerData:
    """A scan in the window of the liver (CT), or between its 1st and 99.5th percentile (MR)."""
    shown = upright(volume)
    if volume.modality == "CT":
        limits = LIVER_WINDOW_HU
    else:
        low, high = (float(v) for v in np.percentile(volume.array, (1, 99.5)))
        limits = (low, max(high, low + 1))
    settings = {
        "name": f"{volume.modality} scan",
        "colormap": "gray",
        "contrast_limits": limits,
        "metadata": {"surgplan_affine": volume.geometry.affine},
        **_placed(shown.geometry),
    }
    return shown.array, settings, "image"


def labels_layer(label_map: LabelMap) -> LayerData:
    """The structures with their colours; their names show under the pointer."""
    shown = upright(label_map)
    segments = label_map.segments
    settings = {
        "name": "structures",
        "colormap": label_colours({s.label: (*s.colour, 255) for s in segments}),
        "opacity": 0.9,
        "features": {
            "index": [0, *(s.label for s in segments)],
            "structure": ["background", *(s.name for s in segments)],
        },
        "metadata": {
            "surgplan_affine": label_map.geometry.affine,
            LABEL_MAP: label_map,
        },
        **_placed(shown.geometry),
    }
    return shown.array, settings, "labels"


def label_colours(
    rgba: Mapping[int, tuple[int, int, int, int]],
) -> dict[int | None, tuple[float, ...]]:
    """Colours of labels as napari takes them, from 0..255 each; other labels are clear."""
    clear = (0.0, 0.0, 0.0, 0.0)
    colours: dict[int | None, tuple[float, ...]] = {None: clear, 0: clear}
    for label, colour in rgba.items():
        colours[label] = tuple(c / 255 for c in colour)
    return colours


def confidence_layer(confidence: npt.NDArray[np.float32], label_map: LabelMap) -> LayerData:
    """Where the model was unsure, glowing from `SURE` (clear) down to `UNSURE` (bright)."""
    placed = Volume(array=confidence, geometry=label_map.geometry, modality="MR")
    doubt = placed.with_array(np.float32(1) - confidence)
    shown = upright(doubt)
    settings = {
        "name": "unsure",
        "colormap": "inferno",
        "blending": "additive",
        "contrast_limits": (1 - SURE, 1 - UNSURE),
        "opacity": 0.8,
        "metadata": {"surgplan_affine": label_map.geometry.affine},
        **_placed(shown.geometry),
    }
    return shown.array, settings, "image"


def surface_layer(surface: Surface) -> LayerData:
    """A surface in the colour of its structure; the liver lets the rest shine through.

    Light and shade are painted on, from the front, the head and the right: napari's own light
    stands behind a patient who is not shown mirrored.
    """
    solid = solid_of(surface)
    settings = {
        "name": f"{surface.segment.name} surface",
        "vertex_colors": solid.colours,
        "opacity": solid.opacity,
        "blending": "translucent_no_depth" if solid.see_through else "translucent",
        "shading": "none",
        "metadata": {SEGMENT: surface.segment},
        **AXES,
    }
    return (solid.points, solid.triangles), settings, "surface"


def solid_of(surface: Surface) -> Solid:
    """A surface in the colour of its structure, lit; the liver lets the rest shine through."""
    liver = surface.segment.code == LIVER.code
    tint = np.tile(np.array(_rgb(surface.segment.colour), np.float32), (len(surface.points), 1))
    return Solid(
        points=to_world(surface.points).astype(np.float32),
        triangles=surface.triangles,
        colours=shaded(surface, tint),
        opacity=LIVER_OPACITY if liver else 1.0,
        see_through=liver,
    )


def shaded(surface: Surface, tint: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Colours ``(n, 4)`` of a surface's points, of tints ``(n, 3)`` with light and shade."""
    light = (1 + surface.normals @ LIGHT) / 2
    shade = SHADOW + (1 - SHADOW) * light[:, None] ** 1.5
    return np.column_stack([shade * tint, np.ones(len(tint))]).astype(np.float32)


def upright(image: Image) -> Image:
    """The image on a grid along the body axes, slices up, rows back, columns left.

    Permuting and flipping where that is enough; an oblique image is resampled onto the smallest
    straight grid around it, because napari slices only along its own axes. Remembered as long as
    the image lives: `ready_to_show` asks for it ahead, on a worker.
    """
    number, kept = id(image), _upright.get(id(image))
    if kept is None or kept[0]() is not image:
        gone = weakref.ref(image, lambda _: _upright.pop(number, None))
        kept = _upright[number] = (gone, _set_upright(image))
    shown: Image = kept[1]
    return shown


def ready_to_show(volume: Volume | None, label_map: LabelMap | None = None) -> None:
    """Set images upright now, so that the window need not wait for it."""
    if volume is not None:
        upright(volume)
    if label_map is not None:
        upright(label_map)


def _set_upright(image: Image) -> Image:
    turned = reorient(image, "SPL")
    straight = Geometry.from_spacing(
        shape=turned.geometry.shape,
        spacing_mm=turned.geometry.spacing_mm,
        origin_mm=_xyz(turned.geometry.affine[:3, 3]),
    )
    if turned.geometry.matches(straight, atol_mm=STRAIGHT_WITHIN_MM):
        return turned
    return resample_to(turned, _straight_around(turned.geometry))


def _straight_around(geometry: Geometry) -> Geometry:
    """The smallest straight grid of the same spacing that holds every voxel."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in geometry.shape])).reshape(3, -1).T
    placed = geometry.to_lps(corners)
    low, high = placed.min(axis=0), placed.max(axis=0)
    spacing = geometry.spacing_mm
    steps = np.ceil((high - low)[::-1] / spacing - 1e-9).astype(int) + 1
    shape = (int(steps[0]), int(steps[1]), int(steps[2]))
    return Geometry.from_spacing(shape=shape, spacing_mm=spacing, origin_mm=_xyz(low))


def _placed(straight: Geometry) -> dict[str, Any]:
    origin = to_world(straight.affine[:3, 3])
    return {"scale": straight.spacing_mm, "translate": tuple(map(float, origin)), **AXES}


def _rgb(colour: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _xyz(point: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
