"""Radii of vessels between thick slices: a short tube laid into the wall, its axis shifted too.

A slice shows where it cuts a vessel, not how far above or below the axis: half its width there is
less than the radius. Several slices together, or the slice that no longer meets the vessel, tell.
Where nothing tells how high an axis runs, a radius is the mean over all that it may be, and those
on the same line that are known better say more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solveh_banded
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.volume import Geometry, box_of

_THICK, _THICK_MM = 2.0, 2.0
"""Slices more than so many times as thick as the finest voxel edge, and than so many mm, are thick.

Between thinner ones no vessel that is named to people can lie unseen, and its wall is dense enough.
"""

_REACH_RADII, _REACH_MM = 2.0, 5.0
"""A tube reaches so many radii to either side of its middle, at least so many mm."""

_LEAST_WALL = 12
"""With fewer faces within slices the radius known before stays."""

_OWN_WALL, _OWN_WALL_MM = 1.5, 1.5
"""Wall farther from a line than so many of its rough radii, and so many mm, is another vessel's."""

_SHIFT_MM = 0.3
"""The axis may lie so much to the side, and at least so much higher; a standard deviation."""

_TILT = 1.5
"""A reach ahead it may lie higher yet by so many times what it may here."""

_UNSEEN = 0.22
"""Mean square of what is normal with a third of its largest square as variance, and cut off there.

Of that square; so may an axis lie above or below the one slice that meets the vessel.
"""

_TAPER = 0.07
"""Radii 1 mm apart along a vessel differ by so many mm, those farther apart as a random walk."""

_TRUST = 0.4
"""An axis that far off costs as much as one face of the wall so many mm off the tube."""

_UPRIGHT = 1e-6
"""A course that leans less has no direction across it that is steeper than others."""

_SLACK_MM = 0.35
"""Wall farther off the tube counts for less."""

_ROUNDS, _STEP_MM = 6, 1.0
_LEAST, _MOST, _MOST_MM = 0.4, 2.0, 1.0
"""A radius below so many of that known before, or above so many and so many mm, is not believed."""

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Wall:
    """Pairs of voxels that are face neighbours and of which one is in the mask.

    Attributes
    ----------
    inside_mm, outside_mm
        ``(n, 3)`` LPS centres of the one in the mask and of the other.
    apart
        ``(n,)`` whether they lie in two thick slices.
    slices_mm
        ``(3,)`` from one slice to the next, LPS mm.
    """

    inside_mm: Points
    outside_mm: Points
    apart: Mask
    slices_mm: Values

    @classmethod
    def of(cls, mask: Mask, geometry: Geometry, opens_into: Mask | None = None) -> Wall | None:
        """The wall of a mask that is not empty, see `lumen`; None where slices are not thick."""
        spacing = np.array(geometry.spacing_mm)
        thick = spacing > max(_THICK * spacing.min(), _THICK_MM)
        if not thick.any():
            return None
        kinds, start = lumen(mask, geometry, opens_into)
        inside, outside, apart = [], [], []
        for axis in range(3):
            step = np.diff(kinds, axis=axis)
            first = np.argwhere(np.abs(step) == 1)
            second = first + np.eye(3, dtype=np.int64)[axis]
            enters = (step[tuple(first.T)] > 0)[:, None]
            inside.append(np.where(enters, second, first) + start)
            outside.append(np.where(enters, first, second) + start)
            apart.append(np.full(len(first), thick[axis]))
        return cls(
            inside_mm=geometry.to_lps(np.concatenate(inside)),
            outside_mm=geometry.to_lps(np.concatenate(outside)),
            apart=np.concatenate(apart),
            slices_mm=geometry.affine[:3, int(np.argmax(spacing))],
        )


def lumen(
    mask: Mask, geometry: Geometry, opens_into: Mask | None = None
) -> tuple[npt.NDArray[np.int8], Places]:
    """A box around a mask that is not empty, and the index of its first voxel.

    1 in the mask, 3 in what it opens into, 0 elsewhere: its wall is where that changes by 1.
    """
    box = box_of(mask, geometry, margin_mm=max(geometry.spacing_mm))
    kinds = np.pad(mask[box], 1).view(np.int8)
    if opens_into is not None:
        kinds[np.pad(opens_into[box] & ~mask[box], 1)] = 3
    return kinds, np.array([s.start for s in box]) - 1


def tube_radii(
    lines: Sequence[Points], known: Sequence[Values], rough: Sequence[Values], wall: Wall
) -> list[Values]:
    """Radius at each point of each line, of the tube that fits the wall around it best.

    Faces within slices lie on the tube, as far as voxels go; between two thick slices the wall is
    somewhere. Where too little wall is near, or the fit wanders off, the radius is as of others on
    the line, or the known one where none fits.

    Parameters
    ----------
    lines
        Centrelines ``(k, 3)`` LPS mm.
    known
        Radii ``(k,)`` to begin with.
    rough
        Radii ``(k,)`` that say which wall is a line's own.
    wall
        Of the mask.
    """
    away, near = cKDTree(np.concatenate(list(lines))).query((wall.inside_mm + wall.outside_mm) / 2)
    slack = np.where(wall.apart, np.linalg.norm(wall.slices_mm), _OWN_WALL_MM)
    own = np.flatnonzero(away <= _OWN_WALL * np.concatenate(list(rough))[near] + slack)
    own = own[np.argsort(near[own], kind="stable")]
    first = np.concatenate([[0], np.cumsum([len(line) for line in lines])])
    stops = np.searchsorted(near[own], first)
    return [
        _fitted(line, radius, wall, own[a:b], near[own[a:b]] - start)
        for line, radius, a, b, start in zip(
            lines, known, stops[:-1], stops[1:], first[:-1], strict=True
        )
    ]


def _fitted(line: Points, radius: Values, wall: Wall, own: Places, place: Places) -> Values:
    """Radii along one line; its own pairs of the wall, by the place on the line next to each."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    reach = np.maximum(_REACH_RADII * radius, _REACH_MM)
    low = np.searchsorted(along, along - reach, "left")
    high = np.searchsorted(along, along + reach, "right") - 1
    start, stop = np.searchsorted(place, low), np.searchsorted(place, high, "right")
    counts = stop - start
    tube = np.repeat(np.arange(len(line)), counts)
    pair = np.arange(len(tube)) + np.repeat(start - np.cumsum(counts) + counts, counts)
    near = place[pair]
    up, across, gap_mm = _sideways(line[high] - line[low], wall.slices_mm)
    inside, outside = (
        np.stack([_dots(side[own[pair]] - line[near], way[tube]) for way in (up, across)], axis=1)
        for side in (wall.inside_mm, wall.outside_mm)
    )
    tubes = _Tubes(
        tube=tube,
        ahead=(along[near] - along[tube]) / reach[tube],
        inside_mm=inside,
        outside_mm=outside,
        apart=wall.apart[own[pair]],
    )
    fitted, spread = tubes.radii(radius, gap_mm)
    fits = np.bincount(tube[~tubes.apart], minlength=len(line)) >= _LEAST_WALL
    fits &= (fitted > _LEAST * radius) & (fitted < _MOST * radius + _MOST_MM)
    whole = fits & (along >= reach) & (along <= along[-1] - reach)  # beside a fork is other wall
    told = whole if whole.any() else fits
    shared = 2 * reach * spread  # by as many tubes as reach a place, at steps of 1 mm
    return _evened(fitted, told / shared, np.diff(along)) if told.any() else radius


def _evened(radius: Values, trust: Values, steps_mm: Values) -> Values:
    """The likeliest radii ``(k,)`` along a line: a random walk seen as given, by its trust.

    `trust` is one by the variance of what is given, mm⁻²; nothing is seen where it is 0.
    """
    stiff = 1 / (_TAPER**2 * np.maximum(steps_mm, 1e-3))
    diagonal = trust + np.append(stiff, 0.0) + np.insert(stiff, 0, 0.0)
    bands = np.stack([np.insert(-stiff, 0, 0.0), diagonal])
    likeliest: Values = solveh_banded(bands, trust * radius)
    return likeliest


def _sideways(course: Points, slices_mm: Values) -> tuple[Points, Points, Values]:
    """For each course ``(k, 3)`` two ways across it, the first as steep as can be.

    And how far slices are apart along that, ``(k,)`` mm.
    """
    course = course / np.maximum(np.linalg.norm(course, axis=1), 1e-9)[:, None]
    across = np.cross(course, slices_mm)
    level = np.linalg.norm(across, axis=1)
    upright = level < _UPRIGHT * np.linalg.norm(slices_mm)
    across[upright], level[upright] = np.linalg.svd(slices_mm[None])[2][1], 1.0
    across /= level[:, None]
    up = np.cross(across, course)
    return up, across, up @ slices_mm


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tubes:
    """Pairs of the wall around each of many tubes, seen along its axis.

    Attributes
    ----------
    tube
        ``(n,)`` which one a pair is seen from, in order.
    ahead
        ``(n,)`` where along it, in reaches.
    inside_mm, outside_mm
        ``(n, 2)`` off its axis, upwards and across.
    apart
        ``(n,)`` whether the two lie in two thick slices.
    """

    tube: Places
    ahead: Values
    inside_mm: Values
    outside_mm: Values
    apart: Mask

    def radii(self, radius: Values, gap_mm: Values) -> tuple[Values, Values]:
        """Likely radii and their variance, from those given ``(k,)``, mm and mm².

        Gauss-Newton steps on the shifts (upwards, more so a reach ahead, across) and the radius of
        each tube, with Huber's weights. Slices are `gap_mm` ``(k,)`` apart across each tube: they
        miss one that is seen in another up to some height above or below that, and as high may
        its axis be.
        """
        room = np.maximum(gap_mm**2 - radius**2, 0.0) / (2 * np.maximum(gap_mm, _SHIFT_MM))
        rise = np.maximum(room / np.sqrt(3), _SHIFT_MM)
        loose = np.stack([rise, _TILT * rise, np.full(len(rise), _SHIFT_MM)], axis=1)
        shift, radius, spread = self._laid(radius, _TRUST / loose)
        most = np.maximum(gap_mm - radius, 0.0) ** 2 / (2 * np.maximum(gap_mm, _SHIFT_MM))
        unseen = np.minimum(self._unseen(shift, spread[:, :3, :3]), _UNSEEN * most)
        return radius + unseen, spread[:, 3, 3] + 2 * unseen**2

    def _laid(self, radius: Values, trust: Values) -> tuple[Values, Values, Values]:
        """Shifts ``(k, 3)`` and radii ``(k,)`` that fit best, and how sure, ``(k, 4, 4)`` mm².

        To shift an axis costs ``trust (k, 3)``.
        """
        shift = np.zeros((len(radius), 3))
        for _ in range(_ROUNDS):
            off, slopes = self._off(shift, radius)
            weight = np.minimum(1.0, _SLACK_MM / np.maximum(np.abs(off), 1e-9))
            square = np.zeros((len(radius), 4, 4))
            square[:, range(4), range(4)] = np.column_stack([trust**2, np.full(len(radius), 1e-9)])
            right = np.column_stack([-(trust**2) * shift, np.zeros(len(radius))])
            for a, slope in enumerate(slopes):
                right[:, a] -= self._sums(weight * slope * off, len(radius))
                for b, other in enumerate(slopes):
                    square[:, a, b] += self._sums(weight * slope * other, len(radius))
            step = np.linalg.solve(square, right[..., None])[..., 0]
            step = np.clip(step, -_STEP_MM, _STEP_MM)
            shift, radius = shift + step[:, :3], radius + step[:, 3]
        return shift, radius, np.asarray(_TRUST**2 * np.linalg.inv(square), dtype=np.float64)

    def _unseen(self, shift: Values, spread: Values) -> Values:
        """How much wider tubes are on average than those that fit best, ``(k,)`` mm.

        An axis that lies h higher or lower than it seems needs a radius larger by h² / 2r for the
        same wall: the bias of least squares to second order [1]_, by the spread ``(k, 3, 3)`` of
        the shifts. The variance that goes with it is twice its square.

        References
        ----------
        .. [1] M. J. Box, Bias in nonlinear estimation, J. R. Stat. Soc. B 33, 1971.
        """
        away = (self.inside_mm + self.outside_mm) / 2 - self._axis(shift)
        far = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        up, across = away.T / far
        turn = np.stack([across, across * self.ahead, -up], axis=1)
        bend = np.einsum("na,nab,nb->n", turn, spread[self.tube], turn) / far
        face = (~self.apart).astype(np.float64)
        count = np.maximum(self._sums(face, len(shift)), 1.0)
        return self._sums(face * bend, len(shift)) / count / 2

    def _axis(self, shift: Values) -> Values:
        """Where the shifted axes lie beside each pair, ``(n, 2)`` mm upwards and across."""
        higher, more, beside = shift[self.tube].T
        return np.stack([higher + more * self.ahead, beside], axis=1)

    def _off(self, shift: Values, radius: Values) -> tuple[Values, tuple[Values, ...]]:
        """How far wall lies outside the tubes, mm, and what each shift and the radius add to that.

        Between thick slices it lies where the tube says, as long as that is between them.
        """
        axis, own = self._axis(shift), radius[self.tube]
        inside, outside = self.inside_mm - axis, self.outside_mm - axis
        beyond = self.apart & (np.linalg.norm(inside, axis=1) > own)
        within = self.apart & (np.linalg.norm(outside, axis=1) < own)
        seen = (inside + outside) / 2
        seen[beyond], seen[within] = inside[beyond], outside[within]
        away = np.linalg.norm(seen, axis=1)
        told = (~self.apart | beyond | within).astype(np.float64)
        up, across = -told / np.maximum(away, 1e-9) * seen.T
        return told * (away - own), (up, up * self.ahead, across, -told)

    def _sums(self, values: Values, count: int) -> Values:
        sums = np.bincount(self.tube, values, minlength=count)
        return np.asarray(sums, dtype=np.float64)


def _dots(a: Points, b: Points) -> Values:
    products: Values = np.einsum("ij,ij->i", a, b)
    return products
