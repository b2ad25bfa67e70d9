"""Arteries and bile ducts: trunks outside the liver, and branches along the portal ones inside."""

from __future__ import annotations

import numpy as np

from surgplan.phantom._individual import Individual
from surgplan.phantom._shapes import Array, Tubes, spline, tubes
from surgplan.phantom._trees import Branch, VesselTree

ARTERIAL_UNIT_MM = 0.46
ARTERIAL_ORDERS = 6
DUCT_ORDERS = 3

_HILUM = (-25.0, -30.0, -8.0)
_AORTA = ((14, 12, 150), (11, 8, 80), (8, 4, 10), (6, 3, -50), (4, 4, -150))
_COELIAC = (8.0, -19.0, -2.0)
_FEEDERS = (
    ("aorta", 10.0, _AORTA),
    ("coeliac trunk", 3.6, ((8, -5, 2), _COELIAC)),
    ("common hepatic artery", 2.7, (_COELIAC, (-6, -30, -10), (-18, -36, -16), _HILUM)),
    ("splenic artery", 2.7, (_COELIAC, (24, -16, -4), (40, -2, -10), (58, 8, 6), (84, 26, 10))),
    ("superior mesenteric artery", 3.4,
     ((7, -6, -14), (6, -19, -26), (4, -27, -62), (3, -31, -100), (2, -32, -150))),
    ("right renal artery", 2.6, ((2, 6, -34), (-14, 18, -40), (-42, 31, -46))),
    ("left renal artery", 2.6, ((10, 6, -28), (22, 18, -30), (44, 32, -30))),
)  # fmt: skip
_RENAL_VEINS = (
    ((44, 31, -32), (24, 12, -36), (6, -13, -40), (-14, -6, -42)),
    ((-42, 30, -50), (-26, 12, -52)),
)


def grow_arterial(individual: Individual, portal: VesselTree) -> VesselTree:
    """The hepatic artery, which follows the portal branches down to `ARTERIAL_ORDERS`."""
    branches = _beside(portal, ARTERIAL_ORDERS, ARTERIAL_UNIT_MM, np.array([0.55, -0.75, 0.35]))
    branches = [_renamed(b) for b in branches]
    hilum = branches[0].points_mm[0]
    feeders = []
    for label, radius, path in _FEEDERS:
        line = individual.place(spline(path))
        if label == "common hepatic artery":
            line = np.vstack([line[:-1], hilum])
        feeders.append(Branch(label=label, order=1, parent=None, points_mm=line, radius_mm=radius))
    return VesselTree(system="arterial", branches=tuple(branches), feeders=tuple(feeders))


def bile_ducts(individual: Individual, portal: VesselTree) -> Tubes:
    """Hepatic ducts along the portal branches, the common duct and that of the gallbladder."""
    ducts = _beside(portal, DUCT_ORDERS, 0.5, np.array([-0.75, -0.65, 0.1]))
    top = ducts[0].points_mm[0]
    common = spline([(-32, -31, -14), (-36, -26, -28), (-36, -20, -48), (-40, -14, -60)])
    cystic = individual.place(spline([(-40, -32, -12), (-37, -34, -14), (-33, -32, -17)]))
    lines = [(d.points_mm, max(d.radius_mm, 1.0)) for d in ducts]
    below = np.vstack([top, individual.place(common)])
    return tubes(*lines, (below, 2.9), (cystic, 1.6))


def renal_veins(individual: Individual) -> Tubes:
    """Veins of both kidneys."""
    return tubes(*[(individual.place(spline(path)), 4.2) for path in _RENAL_VEINS])


def _beside(portal: VesselTree, orders: int, unit_mm: float, towards: Array) -> list[Branch]:
    """Companions of the portal branches up to an order, shifted to one side of the walls.

    Radii follow Murray's law with the terminals of the portal tree. The first branch is only the
    last third of the portal trunk's course.
    """
    kept: dict[int, int] = {}
    companions: list[Branch] = []
    for i, branch in enumerate(portal.branches):
        if branch.order > orders or (branch.parent is not None and branch.parent not in kept):
            continue
        kept[i] = len(companions)
        radius = unit_mm * branch.terminals ** (1 / 3)
        points = _offset(branch, radius, towards)
        parent = None if branch.parent is None else kept[branch.parent]
        if parent is None:
            points = points[2 * len(points) // 3 :]
        else:
            points = np.vstack([companions[parent].points_mm[-1], points[1:]])
        companions.append(
            Branch(
                label=branch.label,
                order=branch.order,
                parent=parent,
                points_mm=points,
                radius_mm=radius,
                terminals=branch.terminals,
            )
        )
    return companions


def _offset(branch: Branch, radius_mm: float, towards: Array) -> Array:
    """The centreline moved out of the vessel, always to the same side of the body."""
    tangents = np.gradient(branch.points_mm, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    side = towards - (tangents @ towards)[:, None] * tangents
    side += 1e-6
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    moved: Array = branch.points_mm + side * (branch.radius_mm + radius_mm + 0.6)
    return moved


def _renamed(branch: Branch) -> Branch:
    """The artery's own name in place of the vein's."""
    label = branch.label.replace("main portal vein", "proper hepatic artery")
    label = label.replace("portal vein", "hepatic artery")
    label = f"A{label[1:]}" if label.startswith("P") else label
    return Branch(
        label=label,
        order=branch.order,
        parent=branch.parent,
        points_mm=branch.points_mm,
        radius_mm=branch.radius_mm,
        terminals=branch.terminals,
    )
