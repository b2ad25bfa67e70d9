"""Names of hepatic veins: by the direction from the vena cava to what they drain."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from surgplan.planning._branch_labels import Names, Realm

RIGHT_VEIN = "right hepatic vein"
MIDDLE_VEIN = "middle hepatic vein"
LEFT_VEIN = "left hepatic vein"
COMMON = "common trunk of hepatic veins"
ACCESSORY = "accessory hepatic vein"

_VEINS = ((RIGHT_VEIN, -95.0), (MIDDLE_VEIN, -30.0), (LEFT_VEIN, 55.0))
"""Direction from the vena cava in the axial plane, degrees: 0 forward, 90 to the left."""

_WIDE = 60.0
"""So many degrees off, a name is no better than a guess."""

_VEIN = 0.06
_COMMON_MM = 45.0
_APART = 25.0


def name_hepatic(realm: Realm, names: Names) -> None:
    """Name the branches of a hepatic tree."""
    veins, common = _veins(realm)
    angles = _angles(realm)
    chosen = _assign({v: float(angles[v]) for v in veins}, realm)
    for root in realm.tree.roots:
        names.give(realm.tree.subtree(root), ACCESSORY, 0.5)
    names.give(tuple(common), COMMON, 0.8)
    for vein, (label, towards) in chosen.items():
        off = abs(float(angles[vein]) - towards)
        names.give(realm.tree.subtree(vein), label, max(0.1, 1 - off / _WIDE))


def _angles(realm: Realm) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Direction from the middle of the mouths to what each branch drains, degrees."""
    roots = list(realm.tree.roots)
    heavy = [r for r in roots if realm.share[r] >= _VEIN] or roots
    mouth = np.mean([realm.tree.branches[r].points_mm[0] for r in heavy], axis=0)
    away = realm.centre_mm - mouth
    angles: np.ndarray[tuple[int], np.dtype[np.float64]] = np.degrees(
        np.arctan2(away[:, 0], -away[:, 1])
    )
    angles[angles > 130] -= 360  # far right and behind goes on from right
    return angles


def _veins(realm: Realm) -> tuple[list[int], list[int]]:
    """The three or more subtrees that can be veins of their own, and the trunks they share."""
    veins = [r for r in realm.tree.roots if realm.share[r] >= _VEIN]
    common: list[int] = []
    angles = _angles(realm)
    while len(veins) < 3:
        for vein in sorted(veins, key=lambda v: -float(realm.share[v])):
            stem, parts = _fork(realm, vein, angles)
            if parts:
                veins.remove(vein)
                veins += parts
                common += stem
                break
        else:
            break
    return veins, common


def _fork(
    realm: Realm, vein: int, angles: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[list[int], list[int]]:
    """Where a trunk divides near the vena cava into veins of different directions."""
    stem, length = [vein], 0.0
    while True:
        length += realm.tree.branches[stem[-1]].length_mm
        kids = sorted(realm.tree.children(stem[-1]), key=lambda k: -float(realm.share[k]))
        heavy = [k for k in kids if realm.share[k] >= _VEIN]
        if not heavy or length > _COMMON_MM:
            return [], []
        if len(heavy) >= 2 and abs(angles[heavy[0]] - angles[heavy[1]]) >= _APART:
            return stem, heavy
        stem.append(heavy[0])


def _assign(angles: dict[int, float], realm: Realm) -> dict[int, tuple[str, float]]:
    """The veins in order from right to left, so that directions and sizes fit best."""
    ranked = sorted(angles, key=lambda v: angles[v])
    count = min(3, len(ranked))
    best: tuple[float, dict[int, tuple[str, float]]] = (np.inf, {})
    for some in combinations(ranked, count):
        for slots in combinations(_VEINS, count):
            off = sum(abs(angles[v] - s[1]) for v, s in zip(some, slots, strict=True))
            cost = off / _WIDE - 6 * sum(float(realm.share[v]) for v in some)
            if cost < best[0]:
                best = (cost, dict(zip(some, slots, strict=True)))
    return best[1]
