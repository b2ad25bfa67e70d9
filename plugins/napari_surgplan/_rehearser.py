"""A rehearsal at work: how far the liver is open, what comes next, what loses its supply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from napari_surgplan._follow import Progress, silent
from napari_surgplan._session import Session
from surgplan.errors import NothingToDoError
from surgplan.mesh import Surface
from surgplan.planning import (
    Carried,
    Perfusion,
    Plan,
    PreparedLiver,
    Rehearsal,
    VesselMet,
    VesselSystem,
    View,
    prepare,
    rehearse_prepared,
)
from surgplan.volume import HEPATIC_VEINS, LIVER_TUMOUR, PORTAL_VEIN

Points = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

STEPS = 60
CARRIED = (LIVER_TUMOUR.code, PORTAL_VEIN.code, HEPATIC_VEINS.code)


@dataclass(frozen=True, kw_only=True)
class Clamp:
    """A branch that is closed: its tree and place, its name, and what hangs on it."""

    system: VesselSystem
    branch: int
    name: str
    lost_ml: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """All that a rehearsal of one plan needs.

    Attributes
    ----------
    plan, prepared, rehearsal
        Which plan, on which liver, and how it plays.
    carried
        Surfaces that go along with the specimen where they lie on its side, by label.
    served
        For each vessel system, the branch that serves each point of the remnant's surface and
        then of the specimen's, ``(n,)``.
    """

    plan: Plan
    prepared: PreparedLiver
    rehearsal: Rehearsal
    carried: dict[int, Carried]
    served: Mapping[VesselSystem, npt.NDArray[np.int64]]

    @property
    def apart(self) -> Points:
        """Unit vector ``(3,)`` LPS along which the specimen is lifted out."""
        front = self.rehearsal.front
        mean = -(front.normals * front.area_mm2[:, None]).sum(axis=0)
        length = float(np.linalg.norm(mean))
        if length > 0.2 * float(front.area_mm2.sum()):
            return np.asarray(mean / length)
        out = self.rehearsal.specimen.points.mean(axis=0) - front.points_mm.mean(axis=0)
        return np.asarray(out / max(float(np.linalg.norm(out)), 1e-9))


class Rehearser:
    """Plays the plan at work.

    Attributes
    ----------
    stage_changed
        Another plan is on stage, or none.
    moved
        The liver is opened to another point, or its parts moved apart.
    clamps_changed
        Other branches are closed.
    """

    stage_changed = Signal()
    moved = Signal()
    clamps_changed = Signal()

    def __init__(self, session: Session) -> None:
        self.session = session
        self.stage: Stage | None = None
        self.progress = 0.0
        self.apart_mm = 0.0
        self.clamps: tuple[Clamp, ...] = ()
        session.plans_changed.connect(self._plans_changed)

    def make_stage(self, progress: Progress = silent) -> Stage:
        """Everything for the plan at work; some seconds, so on a worker."""
        plan, label_map = self.session.current_plan, self.session.label_map
        if plan is None or label_map is None:
            msg = "there is no plan to rehearse; make one in the tab Plan"
            raise NothingToDoError(msg)
        progress(0.0, "outlining")
        known = self.stage
        again = known is not None and known.prepared.label_map is label_map
        prepared = known.prepared if known is not None and again else prepare(label_map)
        progress(0.2, "dividing the liver")
        rehearsal = rehearse_prepared(prepared, plan.resection, steps=STEPS)
        progress(0.7, "what goes along")
        carried = {
            s.segment.label: rehearsal.carry(s.points)
            for s in self.session.surfaces
            if s.segment.code in CARRIED
        }
        progress(0.9, "supply and drainage")
        points = np.concatenate([rehearsal.remnant.points, rehearsal.specimen.points])
        served = {
            p.tree.system: p.nodes.branch[p.nearest(points)] for p in prepared.perfusions.known()
        }
        return Stage(
            plan=plan, prepared=prepared, rehearsal=rehearsal, carried=carried, served=served
        )

    def take_stage(self, stage: Stage) -> None:
        """Go on with what `make_stage` made."""
        if stage.plan.resection is not getattr(self.session.current_plan, "resection", None):
            return
        self.stage, self.progress, self.apart_mm, self.clamps = stage, 0.0, 0.0, ()
        self.stage_changed.emit()

    def leave(self) -> None:
        """Nothing on stage any more."""
        if self.stage is not None:
            self.stage = None
            self.stage_changed.emit()

    def go_to(self, progress: float) -> None:
        """Open the liver to a share of the cut, 0..1."""
        self.progress = float(np.clip(progress, 0.0, 1.0))
        self.moved.emit()

    def move_apart(self, apart_mm: float) -> None:
        """Lift the specimen out by so many millimetres."""
        self.apart_mm = max(float(apart_mm), 0.0)
        self.moved.emit()

    def parts(self) -> tuple[Surface, Surface] | None:
        """Remnant and specimen as they lie now."""
        if self.stage is None:
            return None
        remnant, specimen = self.stage.rehearsal.surfaces(self.progress)
        lifted = specimen.points + self.apart_mm * self.stage.apart
        return remnant, Surface(
            points=lifted, triangles=specimen.triangles, segment=specimen.segment
        )

    def carried_points(self, label: int) -> Points | None:
        """Where the points of another structure's surface lie now, ``(n, 3)`` LPS."""
        if self.stage is None or label not in self.stage.carried:
            return None
        carried = self.stage.carried[label]
        points = carried.at(self.progress).copy()
        points[carried.moves] += self.apart_mm * self.stage.apart
        return points

    def whole_triangles(self, surface: Surface) -> npt.NDArray[np.int32]:
        """Triangles ``(m, 3)`` of a structure, without those that the cut parts once it opens."""
        carried = None if self.stage is None else self.stage.carried.get(surface.segment.label)
        if carried is None or (self.progress == 0 and self.apart_mm == 0):
            return surface.triangles
        along = carried.moves[surface.triangles].sum(axis=1)
        return np.asarray(surface.triangles[(along == 0) | (along == 3)])

    @property
    def next_vessel(self) -> VesselMet | None:
        """The vessel that the cut comes to next; None behind the last one."""
        if self.stage is None:
            return None
        ahead = (v for v in self.stage.rehearsal.vessels if v.progress >= self.progress)
        return next(ahead, None)

    @property
    def view(self) -> View | None:
        """Where to look now."""
        if self.stage is None:
            return None
        steps = self.stage.rehearsal.steps
        return steps[round(self.progress * (len(steps) - 1))].view

    def branches(self) -> tuple[Clamp, ...]:
        """Branches with names that can be clamped, those with most liver behind them first."""
        if self.stage is None:
            return ()
        found = [
            clamp
            for perfusion in self.stage.prepared.perfusions.known()
            for clamp in _named(perfusion)
        ]
        return tuple(sorted(found, key=lambda c: -c.lost_ml))

    def clamp(self, clamp: Clamp) -> None:
        """Close a branch, or open it again."""
        same = [c for c in self.clamps if (c.system, c.branch) == (clamp.system, clamp.branch)]
        kept = tuple(c for c in self.clamps if c not in same)
        self.clamps = kept if same else (*kept, clamp)
        self.clamps_changed.emit()

    def open_all(self) -> None:
        """Open every branch again."""
        self.clamps = ()
        self.clamps_changed.emit()

    def clamp_at(self, system: VesselSystem, branch: int) -> Clamp | None:
        """What clamping a branch means."""
        if self.stage is None:
            return None
        trees = {p.tree.system: p for p in self.stage.prepared.perfusions.known()}
        return _clamp(trees[system], branch) if system in trees else None

    def lost(self) -> dict[VesselSystem, Mask]:
        """For each system with a closed branch, which points of both parts hang on it, ``(n,)``."""
        if self.stage is None:
            return {}
        found: dict[VesselSystem, Mask] = {}
        trees = {p.tree.system: p.tree for p in self.stage.prepared.perfusions.known()}
        for clamp in self.clamps:
            behind = trees[clamp.system].subtree(clamp.branch)
            inside = np.isin(self.stage.served[clamp.system], behind)
            found[clamp.system] = found.get(clamp.system, np.zeros_like(inside)) | inside
        return found

    def _plans_changed(self) -> None:
        plan = self.session.current_plan
        if self.stage is not None and (
            plan is None or plan.resection is not self.stage.plan.resection
        ):
            self.leave()


def _named(perfusion: Perfusion) -> list[Clamp]:
    """For each name the first branch that bears it."""
    firsts: dict[str, int] = {}
    for place, branch in enumerate(perfusion.tree.branches):
        if branch.label:
            firsts.setdefault(branch.label, place)
    return [_clamp(perfusion, place) for place in firsts.values()]


def _clamp(perfusion: Perfusion, branch: int) -> Clamp:
    tree = perfusion.tree
    first = int(np.flatnonzero(perfusion.nodes.branch == branch)[0])
    vein = "portal" if tree.system == "portal" else "hepatic"
    label = tree.branches[branch].label
    return Clamp(
        system=tree.system,
        branch=branch,
        name=label or f"{vein} vein branch of order {tree.branches[branch].order}",
        lost_ml=float(perfusion.downstream_ml[first]),
    )
