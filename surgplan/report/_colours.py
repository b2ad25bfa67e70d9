"""Colours with a meaning of their own, the same in 3D, in slices and in the legend."""

from __future__ import annotations

RGB = tuple[int, int, int]

CUT: RGB = (226, 0, 122)
CUT_FACE: RGB = (244, 190, 208)
RESECTED: RGB = (112, 128, 150)
REMNANT: RGB = (183, 96, 78)
LIVER_OUTLINE: RGB = (255, 176, 136)


def hex_colour(colour: RGB) -> str:
    """As CSS and matplotlib write it.

    >>> hex_colour((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def on_dark(colour: RGB) -> str:
    """A colour lifted towards white where it would drown in a grey picture.

    >>> on_dark((32, 78, 158)), on_dark((240, 205, 70))
    ('#5377b4', '#f0cd46')
    """
    red, green, blue = colour
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    lift = max(0.0, min(0.4, (120 - luminance) / 200))
    return hex_colour(
        (
            round(red + (255 - red) * lift),
            round(green + (255 - green) * lift),
            round(blue + (255 - blue) * lift),
        )
    )
