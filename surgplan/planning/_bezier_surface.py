"""The surface of a Bezier patch, continued beyond its edges, and the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from math import comb

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from surgplan.planning._boundary import Points
from surgplan.planning._far_tree import far_tree

Values = npt.NDArray[np.float64]

_STRAIGHTENS = 0.3  # of half a patch: how soon the continuation takes its mean direction
_SEED_MM = 2.0
_SEEDS = (16, 64)
_GROWTH = 0.25
_RINGS = 24
_CHUNK = 6144
_ROUNDS = 12
_SETTLED_MM, _SLOW = 0.02, 20.0
"""After a shorter step of Newton's the way that is left is far shorter, less than its square, and
the distance changes by less than the square of that: nothing above rounding. Where his step would
lead to no minimum, others are taken that come near more slowly, and count for so much more."""

_LEAST_DETERMINANT = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Jet:
    """Points of the surface ``(3, n)`` and their derivatives by the two parameters."""

    at: Values
    u: Values
    v: Values
    uu: Values
    uv: Values
    vv: Values

    @property
    def normals(self) -> Values:
        """Unit normals ``(3, n)``, along the derivative by u times that by v."""
        return _normals(self.u, self.v)

    def take(self, places: npt.NDArray[np.int64]) -> Jet:
        """Some of the points."""
        return Jet(**{f.name: getattr(self, f.name)[:, places] for f in fields(self)})


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchSurface:
    """A tensor-product Bezier patch that goes on without end.

    Parameters run over -1..1 on the patch. Beyond an edge the surface leaves in the patch's own
    tangents and straightens, within about a third of the patch, to their mean along that
    edge. So it has a tangent plane everywhere, a flat patch becomes its plane, a height field over
    a regular grid remains one, and the sides of a patch that narrows do not run into each other.

    Attributes
    ----------
    centre_mm
        ``(3,)`` LPS; the coefficients are relative to it, so that nothing is lost to rounding.
    coefficients
        ``(3, m, n)`` of the products of powers of u and v.
    seeds
        Number of steps between seeds along u and v on the patch.
    """

    centre_mm: Values
    coefficients: Values
    seeds: tuple[int, int]

    @classmethod
    def of(cls, control_points_mm: Points) -> PatchSurface:
        """The surface of control points ``(m, n, 3)``, LPS."""
        centre = control_points_mm.reshape(-1, 3).mean(axis=0)
        rows, columns = (_to_powers(n) for n in control_points_mm.shape[:2])
        coefficients = np.einsum("pi,ijc,qj->cpq", rows, control_points_mm - centre, columns)
        low, high = _SEEDS
        seeds = []
        for axis in (0, 1):
            legs = np.linalg.norm(np.diff(control_points_mm, axis=axis), axis=-1)
            seeds.append(int(np.clip(np.ceil(legs.sum(axis=axis).max() / _SEED_MM), low, high)))
        return cls(
            centre_mm=centre,
            coefficients=np.ascontiguousarray(coefficients),
            seeds=(seeds[0], seeds[1]),
        )

    def jet(self, u: Values, v: Values) -> Jet:
        """The surface at parameters ``(n,)``; points relative to `centre_mm`."""
        of = self._derivatives(u, v)
        return Jet(at=of(0, 0), u=of(1, 0), v=of(0, 1), uu=of(2, 0), uv=of(1, 1), vv=of(0, 2))

    def _derivatives(self, u: Values, v: Values) -> Callable[[int, int], Values]:
        """What gives the derivatives ``(3, n)`` at parameters ``(n,)`` by their orders in u, v."""
        along_u, along_v = _Powers.of(u, self._rows), _Powers.of(v, self._columns)
        flat = self.coefficients.reshape(-1, self._columns)
        by_v = [(flat @ p).reshape(3, self._rows, -1) for p in along_v.orders]
        mean_u, mean_v = self._mean_directions

        def of(order_u: int, order_v: int) -> Values:
            result: Values = np.einsum("cmn,mn->cn", by_v[order_v], along_u.orders[order_u])
            if not order_v and len(along_u.outside):
                result += along_u.drift(order_u, mean_u)
            if not order_u and len(along_v.outside):
                result += along_v.drift(order_v, mean_v)
            return result

        return of

    def _lattice_jet(self, u: Values, v: Values) -> Jet:
        """The surface at all pairs of parameters ``(a,)`` and ``(b,)``, u slower than v."""
        along_u, along_v = _Powers.of(u, self._rows), _Powers.of(v, self._columns)
        mean_u, mean_v = self._mean_directions

        def of(order_u: int, order_v: int) -> Values:
            rows, columns = along_u.orders[order_u], along_v.orders[order_v]
            result: Values = rows.T @ self.coefficients @ columns
            if not order_v:
                result += along_u.drift(order_u, mean_u)[:, :, None]
            if not order_u:
                result += along_v.drift(order_v, mean_v)[:, None]
            return result.reshape(3, -1)

        return Jet(at=of(0, 0), u=of(1, 0), v=of(0, 1), uu=of(2, 0), uv=of(1, 1), vv=of(0, 2))

    def points_mm(self, u: Values, v: Values) -> Points:
        """LPS points ``(n, 3)`` at parameters ``(n,)``."""
        return self.jet(u, v).at.T + self.centre_mm

    def height_mm(self, points_mm: Points) -> Values:
        """Signed distance ``(n,)`` of LPS points ``(n, 3)``; positive where the normal points."""
        points = np.ascontiguousarray((np.asarray(points_mm, dtype=np.float64) - self.centre_mm).T)
        chunks = [points[:, i : i + _CHUNK] for i in range(0, points.shape[1], _CHUNK)]
        return np.concatenate([np.zeros(0), *(self._height(chunk) for chunk in chunks)])

    def seed_axes(self, step: int = 1) -> tuple[Values, Values]:
        """Parameters of the seeds along u and v, wider and wider beyond the edges."""
        axes = []
        for count in self.seeds:
            gap = 2 / count
            beyond = gap * ((1 + _GROWTH) ** np.arange(1, _RINGS + 1) - 1) / _GROWTH
            inside = np.linspace(-1.0, 1.0, count + 1)
            axes.append(np.concatenate([-1 - beyond[::-1], inside, 1 + beyond])[::step])
        return axes[0], axes[1]

    @cached_property
    def _rows(self) -> int:
        return int(self.coefficients.shape[1])

    @cached_property
    def _columns(self) -> int:
        return int(self.coefficients.shape[2])

    @cached_property
    def _mean_directions(self) -> tuple[Values, Values]:
        """Mean derivative across the low and the high edge ``(3, 2)``, for u and for v."""
        found = []
        for powers in (self.coefficients, self.coefficients.transpose(0, 2, 1)):
            order, other = (np.arange(n) for n in powers.shape[1:])
            mean = powers @ np.where(other % 2 == 0, 1 / (other + 1), 0.0)
            found.append(np.stack([mean @ (order * e ** (order - 1.0)) for e in (-1.0, 1.0)], 1))
        return found[0], found[1]

    @cached_property
    def seeded(self) -> tuple[Values, Values, Jet]:
        """Parameters ``(n,)`` of all seeds, u slower than v, and the surface there."""
        axes = self.seed_axes()
        u, v = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
        return u, v, self._lattice_jet(*axes)

    @cached_property
    def seed_tree(self) -> cKDTree:
        """The seeds for search, relative to `centre_mm`."""
        return far_tree(self.seeded[2].at.T)

    def _height(self, points: Values) -> Values:
        """Heights of points ``(3, n)`` relative to the centre: from a seed by Newton's method."""
        all_u, all_v, all_jets = self.seeded
        near, seed = self.seed_tree.query(points.T)
        u, v = all_u[seed], all_v[seed]
        active = np.arange(points.shape[1])
        jet = all_jets.take(seed)
        for _ in range(_ROUNDS):
            du, dv, moved = self._step(points[:, active], jet, u[active], v[active])
            u[active] += du
            v[active] += dv
            active = active[moved > _SETTLED_MM]
            if not len(active):
                break
            jet = self.jet(u[active], v[active])
        height, square = self._over(points, u, v)
        lost = np.flatnonzero(square > near**2 + 1e-9)
        if len(lost):  # no better than its seed
            at = seed[lost]
            height[lost] = self._over(points[:, lost], all_u[at], all_v[at])[0]
        return height

    def _over(self, points: Values, u: Values, v: Values) -> tuple[Values, Values]:
        """Heights over the surface at parameters, and squares of the distances from there."""
        of = self._derivatives(u, v)
        off = points - of(0, 0)
        return _dot(off, _normals(of(1, 0), of(0, 1))), _dot(off, off)

    def _step(
        self, points: Values, jet: Jet, u: Values, v: Values
    ) -> tuple[Values, Values, Values]:
        """Newton's step towards the nearest point, and how far it goes in mm."""
        off = points - jet.at
        to_u, to_v = _dot(off, jet.u), _dot(off, jet.v)
        gram = _dot(jet.u, jet.u), _dot(jet.u, jet.v), _dot(jet.v, jet.v)
        a, b, c = (
            gram[0] - _dot(off, jet.uu),
            gram[1] - _dot(off, jet.uv),
            gram[2] - _dot(off, jet.vv),
        )
        flat = gram[0] * gram[2] - gram[1] ** 2
        bad = (a * c - b * b <= _LEAST_DETERMINANT * flat) | (a <= 0)
        a, b, c = (np.where(bad, g, h) for g, h in zip(gram, (a, b, c), strict=True))
        determinant = np.maximum(a * c - b * b, 1e-12)
        du = _limited((c * to_u - b * to_v) / determinant, u, 4 / self.seeds[0])
        dv = _limited((a * to_v - b * to_u) / determinant, v, 4 / self.seeds[1])
        moved: Values = np.sqrt(gram[0]) * np.abs(du) + np.sqrt(gram[2]) * np.abs(dv)
        moved[bad] *= _SLOW
        return du, dv, moved


@dataclass(frozen=True, kw_only=True, eq=False)
class _Powers:
    """Powers of one parameter, continued beyond -1..1.

    Attributes
    ----------
    orders
        Powers ``(degree + 1, n)`` and their first and second derivatives.
    outside
        ``(k,)`` which parameters lie beyond.
    excess
        ``(3, k)`` of those beyond what the powers follow, and its derivatives.
    high
        ``(k,)`` whether the nearer edge is the high one.
    """

    orders: tuple[Values, Values, Values]
    outside: npt.NDArray[np.int64]
    excess: Values
    high: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, parameter: Values, count: int) -> _Powers:
        clipped = np.clip(parameter, -1.0, 1.0)
        power = np.ones((count, len(parameter)))
        for k in range(1, count):
            np.multiply(power[k - 1], clipped, out=power[k])
        order = np.arange(count, dtype=np.float64)[:, None]
        slope, curve = np.zeros_like(power), np.zeros_like(power)
        np.multiply(order[1:], power[:-1], out=slope[1:])
        np.multiply(order[1:], slope[:-1], out=curve[1:])
        outside = np.flatnonzero(parameter != clipped)
        beyond = (parameter - clipped)[outside]
        fading = np.exp(-np.abs(beyond) / _STRAIGHTENS)
        followed = np.sign(beyond) * _STRAIGHTENS * (1 - fading)
        bend = -np.sign(beyond) * fading / _STRAIGHTENS
        if len(outside):
            edge = slope[:, outside]
            power[:, outside] += followed * edge
            slope[:, outside] = fading * edge
            curve[:, outside] = bend * edge
        return cls(
            orders=(power, slope, curve),
            outside=outside,
            excess=np.stack([beyond - followed, 1 - fading, -bend]),
            high=beyond > 0,
        )

    def drift(self, order: int, mean_direction: Values) -> Values:
        """The straight part of the continuation, or its derivative of some order ``(3, n)``."""
        drift = np.zeros((3, self.orders[0].shape[1]))
        along = np.where(self.high, mean_direction[:, 1:], mean_direction[:, :1])
        drift[:, self.outside] = self.excess[order] * along
        return drift


def _normals(u: Values, v: Values) -> Values:
    (ux, uy, uz), (vx, vy, vz) = u, v
    across = np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])
    normals: Values = across / np.maximum(np.sqrt(_dot(across, across)), 1e-12)
    return normals


def _dot(a: Values, b: Values) -> Values:
    product: Values = np.einsum("cn,cn->n", a, b)
    return product


def _limited(step: Values, parameter: Values, gap: float) -> Values:
    """A step no longer than about two seeds lie apart there."""
    reach = gap + 2 * _GROWTH * np.maximum(np.abs(parameter) - 1, 0.0)
    limited: Values = np.clip(step, -reach, reach)
    return limited


def _to_powers(count: int) -> Values:
    """Matrix from Bernstein coefficients over -1..1 to those of the powers, ``(count, count)``."""
    degree = count - 1
    columns = []
    for k in range(count):
        rising = np.polynomial.polynomial.polypow([0.5, 0.5], k)
        falling = np.polynomial.polynomial.polypow([0.5, -0.5], degree - k)
        columns.append(comb(degree, k) * np.polynomial.polynomial.polymul(rising, falling))
    matrix: Values = np.stack(columns, axis=1)
    return matrix
