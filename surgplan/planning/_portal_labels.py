"""Names of portal branches: the trunk is followed to where it divides, sector by sector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from surgplan.planning._branch_labels import Names, Realm

MAIN = "main portal vein"
LEFT = "left portal vein"
UMBILICAL = "umbilical portion"
RIGHT = "right portal vein"
ANTERIOR = "right anterior portal vein"
POSTERIOR = "right posterior portal vein"

_LOBE = 0.1
"""Left and right portal vein each serve at least this part of the liver."""

_SECTOR = 0.22
"""A sector is at least this part of its half; what divides off before is a side branch."""

_SHARED_MM = 15.0

_STEM = 0.6
"""While this part of a sector lies behind one child, the stem goes on."""

_TWIG, _COMMON = 0.08, 0.25
"""Parts of the left liver: of a branch that counts, and of a trunk that may be common to two."""

_SURE_MM = 30.0
"""From this distance between what is told apart on, a name is as sure as can be."""

X, Y, Z = 0, 1, 2
_UP_AND_BACK = np.array([0.0, 0.6, 0.8])


def name_portal(realm: Realm, names: Names) -> None:
    """Name the branches of a portal tree, from the root on."""
    tree, centre = realm.tree, realm.centre_mm
    root = max(tree.roots, key=lambda r: float(realm.share[r]))
    stem, lobes = _follow(realm, root, _LOBE)
    names.give(tuple(stem), MAIN, 1.0 if lobes else 0.3)
    if not lobes:
        return
    lobes.sort(key=lambda k: float(centre[k, X]))  # right is towards smaller x
    left, right = lobes[-1], lobes[:-1]
    shared, left, more = _shared_with_right(realm, left)
    names.give(tuple(shared), MAIN, 0.7)
    _side_branches(realm, names, [*stem, *shared], (*right, *more, left, *shared))
    right += more
    apart = float(centre[left, X] - max(float(centre[k, X]) for k in right))
    sure = float(np.clip(apart / (2 * _SURE_MM), 0.1, 1.0))
    _name_left(realm, names, left, sure)
    if len(right) == 1:
        stem, right = _follow(realm, right[0], _SECTOR * float(realm.share[right[0]]))
        names.give(tuple(stem), RIGHT, sure)
        _side_branches(realm, names, stem, tuple(right))
    _name_right(realm, names, right, sure)


def _shared_with_right(realm: Realm, left: int) -> tuple[list[int], int, list[int]]:
    """Trunk that the left portal vein shares with right sectors, the vein, and those sectors.

    In about every tenth liver the right posterior vein leaves first, and the right anterior one
    comes from what looks like the left portal vein: soon after, and for the other side.
    """
    stem, parts = _follow(realm, left, _LOBE)
    length = sum(realm.tree.branches[i].length_mm for i in stem)
    if len(parts) < 2 or length > _SHARED_MM:
        return [], left, []
    parts.sort(key=lambda k: float(realm.centre_mm[k, X]))
    middle = float(realm.centre_mm[list(realm.tree.roots)].mean(axis=0)[X])
    own, others = parts[-1], parts[:-1]
    if not realm.centre_mm[others[-1], X] < middle < realm.centre_mm[own, X]:
        return [], left, []
    return stem, own, others


def _follow(realm: Realm, start: int, least: float) -> tuple[list[int], list[int]]:
    """A stem along its heaviest children, to where two of at least this share leave; and those."""
    stem = [start]
    while True:
        kids = sorted(realm.tree.children(stem[-1]), key=lambda k: -float(realm.share[k]))
        heavy = [k for k in kids if realm.share[k] >= least]
        if len(heavy) >= 2:
            return stem, heavy
        if not kids or not heavy:
            return stem, []
        stem.append(heavy[0])


def _side_branches(realm: Realm, names: Names, stem: list[int], ahead: tuple[int, ...]) -> None:
    """Small branches off a stem near the hilum: the caudate lobe lies behind it."""
    for place in stem:
        for kid in realm.tree.children(place):
            if kid in stem or kid in ahead:
                continue
            behind = float(realm.centre_mm[kid, Y] - realm.tree.branches[kid].points_mm[0, Y])
            if behind > 0:
                names.give(realm.tree.subtree(kid), "P1", min(0.5, behind / _SURE_MM))


def _name_right(realm: Realm, names: Names, sectors: list[int], sure: float) -> None:
    if len(sectors) < 2:
        return
    centre = realm.centre_mm
    ranked = sorted(sectors, key=lambda k: float(centre[k, Y]))  # anterior is towards smaller y
    middle = (float(centre[ranked[0], Y]) + float(centre[ranked[-1], Y])) / 2
    apart = float(centre[ranked[-1], Y] - centre[ranked[0], Y])
    trust = sure * float(np.clip(apart / _SURE_MM, 0.1, 1.0))
    for sector in ranked:
        if centre[sector, Y] < middle:
            _divide(realm, names, sector, (ANTERIOR, "P8", "P5", trust))
        else:
            _divide(realm, names, sector, (POSTERIOR, "P7", "P6", trust))


def _divide(realm: Realm, names: Names, sector: int, words: tuple[str, str, str, float]) -> None:
    """Name a sector's stem, and what leaves it by whether it goes up or down."""
    stem_name, upper, lower, trust = words
    level = float(realm.centre_mm[sector, Z])
    for place in _stem(realm, sector):
        names.give((place,), stem_name, trust)
    for kid in _off_stem(realm, sector):
        height = float(realm.centre_mm[kid, Z]) - level
        names.give(
            realm.tree.subtree(kid),
            upper if height > 0 else lower,
            trust * float(np.clip(abs(height) / (_SURE_MM / 2), 0.1, 1.0)),
        )


def _stem(realm: Realm, start: int) -> list[int]:
    """A branch and what carries most of it on; a branch that is all there is, is no stem."""
    stem = [start]
    while True:
        on = [
            k for k in realm.tree.children(stem[-1]) if realm.share[k] >= _STEM * realm.share[start]
        ]
        if not on:
            return stem
        stem.append(on[0])


def _off_stem(realm: Realm, start: int) -> list[int]:
    stem = _stem(realm, start)
    return [k for place in stem for k in realm.tree.children(place) if k not in stem]


def _opened(realm: Realm, names: Names, left: int, sure: float) -> list[int]:
    """What leaves the left stem; short common trunks of several are opened and named after it."""
    waiting, kids = _off_stem(realm, left), []
    while waiting:
        kid = waiting.pop()
        parts = realm.tree.children(kid)
        heavy = [k for k in parts if realm.share[k] >= _TWIG * realm.share[left]]
        short = realm.tree.branches[kid].length_mm <= _SHARED_MM
        if short and len(heavy) >= 1 and realm.share[kid] >= _COMMON * realm.share[left]:
            names.give((kid,), UMBILICAL, sure)
            waiting += parts
        else:
            kids.append(kid)
    return kids


def _name_left(realm: Realm, names: Names, left: int, sure: float) -> None:
    """The left portal vein runs left, then forward in the umbilical fissure between III and IV."""
    tree, centre = realm.tree, realm.centre_mm
    stem = _stem(realm, left)
    line = np.concatenate([tree.branches[i].points_mm for i in stem])
    turn = int(np.argmax(line[:, X] - 0.5 * line[:, Y]))  # farthest to the left and forward
    fissure = float(line[turn, X])
    for place in stem:
        run = tree.branches[place].points_mm[-1] - tree.branches[place].points_mm[0]
        forward = place != left and -run[Y] > abs(run[X])
        names.give((place,), UMBILICAL if forward else LEFT, sure)
    kids = _opened(realm, names, left, sure)
    lateral = [k for k in kids if centre[k, X] > fissure]
    mass = realm.share[lateral]
    middle = (centre[lateral] * mass[:, None]).sum(axis=0) / max(float(mass.sum()), 1e-9)
    for kid in kids:
        start = tree.branches[kid].points_mm[0]
        across = float(centre[kid, X]) - fissure
        back = float(centre[kid, Y] - start[Y])
        if kid in lateral:
            height = float((centre[kid] - middle) @ _UP_AND_BACK) if len(lateral) > 1 else 0.0
            trust = min(1.0, across / 15.0) * float(np.clip(abs(height) / 12.0, 0.1, 1.0))
            names.give(tree.subtree(kid), "P2" if height > 0 else "P3", sure * trust)
        elif back > 0 and centre[kid, Y] > line[0, Y]:
            names.give(tree.subtree(kid), "P1", sure * min(1.0, back / 15.0))
        else:
            names.give(tree.subtree(kid), "P4", sure * min(1.0, -across / 15.0))
