"""A hundred steps back and forward."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_surgplan._state import State
from surgplan.volume import Geometry, LabelMap, Segment

STEPS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class _Runs:
    """A label map as runs of equal voxels, so that a hundred of them fit into memory."""

    geometry: Geometry
    segments: tuple[Segment, ...]
    starts: npt.NDArray[np.int64]
    values: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, label_map: LabelMap) -> _Runs:
        flat = label_map.array.ravel()
        starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
        return cls(
            geometry=label_map.geometry,
            segments=label_map.segments,
            starts=starts,
            values=flat[starts],
        )

    def whole(self) -> LabelMap:
        size = int(np.prod(self.geometry.shape))
        lengths = np.diff(np.append(self.starts, size))
        array = np.repeat(self.values, lengths).reshape(self.geometry.shape)
        return LabelMap(array=array, geometry=self.geometry, segments=self.segments)


_Kept = tuple[State, _Runs | None]


class History:
    """States to go back to and forward again, `STEPS` of them each way."""

    def __init__(self) -> None:
        self._past: list[_Kept] = []
        self._future: list[_Kept] = []
        self._same: tuple[LabelMap, _Runs] | None = None  # what was packed or unpacked last

    def clear(self) -> None:
        """Forget all."""
        self._past.clear()
        self._future.clear()
        self._same = None

    def push(self, state: State) -> None:
        """Keep a state that a new action leaves behind."""
        self._past.append(self._pack(state))
        del self._past[:-STEPS]
        self._future.clear()

    def back(self, now: State) -> State | None:
        """The state before, None if there is none; `forward` leads to `now` again."""
        return self._step(self._past, self._future, now)

    def forward(self, now: State) -> State | None:
        """The state after, None if there is none."""
        return self._step(self._future, self._past, now)

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps lead back, and how many forward."""
        return len(self._past), len(self._future)

    def _step(self, take: list[_Kept], keep: list[_Kept], now: State) -> State | None:
        if not take:
            return None
        keep.append(self._pack(now))
        return self._unpack(take.pop())

    def _pack(self, state: State) -> _Kept:
        label_map = state.label_map
        if label_map is None:
            return state, None
        if self._same is None or self._same[0] is not label_map:
            self._same = (label_map, _Runs.of(label_map))
        return replace(state, label_map=None), self._same[1]

    def _unpack(self, kept: _Kept) -> State:
        state, runs = kept
        if runs is None:
            return state
        if self._same is None or self._same[1] is not runs:
            self._same = (runs.whole(), runs)
        return replace(state, label_map=self._same[0])
