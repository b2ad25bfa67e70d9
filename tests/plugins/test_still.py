"""A picture in which surfaces were laid back is the one in which they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from vispy.scene import SceneCanvas, TurntableCamera
from vispy.scene.visuals import Markers

from napari_surgplan._drawing import Drawing, Sketch
from napari_surgplan._solids import Solid, Solids
from napari_surgplan._triangles import TrianglesVisual

from .conftest import needs_screen

pytestmark = [pytest.mark.gui, pytest.mark.slow, needs_screen]

CORNERS = np.array([(0, 0, 0), (0, 0, 9), (0, 9, 0), (9, 0, 0)], dtype=np.float32)
FACES = np.array([(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)])


def solid(at: float, **settings) -> Solid:
    """A tetrahedron, each corner of another colour."""
    colours = np.array([(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (1, 1, 0, 1)], dtype=np.float32)
    return Solid(points=CORNERS + np.float32(at), triangles=FACES, colours=colours, **settings)


def sketch(at: float) -> Sketch:
    """A cut that lies partly before and partly behind the solids."""
    return Sketch(
        points=np.array([(at, -5.0, -5.0), (at, 20.0, -5.0), (at, 5.0, 20.0)]),
        triangles=np.array([[0, 1, 2]]),
        colours=np.tile(np.float32((0.2, 0.9, 0.4, 0.9)), (3, 1)),
        handles=np.array([(at, 5.0, 5.0)]),
    )


class Stage:
    """A canvas with two solids and a cut between them, and how often surfaces were drawn."""

    def __init__(self, monkeypatch) -> None:
        self.counts = 0
        self.canvas = SceneCanvas(size=(300, 240), bgcolor="black")
        camera = TurntableCamera(center=(4, 4, 4), scale_factor=30)
        self.view = self.canvas.central_widget.add_view(camera=camera)
        view = SimpleNamespace(dims=SimpleNamespace(displayed=(0, 1, 2)))
        self.drawing, self.solids = Drawing(view, SimpleNamespace(view=self.view)), Solids()
        self.drawing.end_rehearsal()
        self.solids.put("tumour", solid(0))
        self.solids.put("liver", solid(-2, opacity=0.4, see_through=True))
        self.show()
        self.drawing.show_cut(sketch(3))
        mine = (self.drawing._surfaces.solid, self.drawing._surfaces.clear)
        prepare = TrianglesVisual._prepare_draw

        def counted(visual, view) -> bool:
            self.counts += visual in mine
            return prepare(visual, view)

        monkeypatch.setattr(TrianglesVisual, "_prepare_draw", counted)

    def show(self) -> None:
        self.drawing.show_solids(self.solids)

    def picture(self) -> np.ndarray:
        """What the canvas shows now, painted anew."""
        image = self.canvas.native.grabFramebuffer()
        rows = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), -1)
        whole = rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)
        return whole[..., 2::-1].copy()

    def painted(self) -> tuple[np.ndarray, int]:
        """A picture, and how many surfaces were drawn for it."""
        before = self.counts
        return self.picture(), self.counts - before

    def in_full(self) -> np.ndarray:
        """The picture with everything drawn."""
        self.drawing._surfaces._still.forget()
        picture, drawn = self.painted()
        assert drawn > 0
        return picture


@pytest.fixture
def stage(monkeypatch, qtbot) -> Iterator[Stage]:
    monkeypatch.setattr("napari_surgplan._still.SOFTWARE", ("",))  # whatever draws here
    stage = Stage(monkeypatch)
    qtbot.addWidget(stage.canvas.native)
    with qtbot.waitExposed(stage.canvas.native):
        stage.canvas.show()
    stage.picture()
    return stage


def cross(stage: Stage) -> None:
    ends = np.array([[(-20, 4, 4), (20, 4, 4)], [(4, -20, 4), (4, 20, 4)], [(4, 4, -9), (4, 4, 9)]])
    stage.drawing.show_cross(ends.astype(np.float64), "#5ad1e6")


RESTS = {
    "cut": lambda stage: stage.drawing.show_cut(sketch(5)),
    "cross": cross,
    "mark": lambda stage: (stage.solids.set_mark(np.array([1.0, 2, 3])), stage.show()),
    "no cut": lambda stage: stage.drawing.show_cut(Sketch()),
}


@pytest.mark.parametrize("change", RESTS)
def test_what_rests_is_laid_back_as_it_was(stage, change) -> None:
    before = stage.picture()
    RESTS[change](stage)
    picture, drawn = stage.painted()
    assert drawn == 0
    assert (picture != before).any()
    np.testing.assert_array_equal(picture, stage.in_full())


MOVES = {
    "camera": lambda stage: setattr(stage.view.camera, "azimuth", 70),
    "zoom": lambda stage: setattr(stage.view.camera, "scale_factor", 40),
    "background": lambda stage: setattr(stage.canvas, "bgcolor", "white"),
    "size": lambda stage: setattr(stage.canvas, "size", (260, 300)),
    "opacity": lambda stage: (stage.solids.change("liver", opacity=0.9), stage.show()),
    "eye": lambda stage: (stage.solids.change("tumour", visible=False), stage.show()),
    "gone": lambda stage: (stage.solids.drop("liver"), stage.show()),
}


@pytest.mark.parametrize("change", MOVES)
def test_what_changes_is_drawn_anew(stage, qtbot, change) -> None:
    before = stage.picture()
    MOVES[change](stage)
    qtbot.wait(20)
    picture = stage.picture()
    assert picture.shape != before.shape or (picture != before).any()
    again, drawn = stage.painted()
    assert drawn == 0
    np.testing.assert_array_equal(again, picture)
    np.testing.assert_array_equal(stage.in_full(), picture)


def test_another_place_is_noticed_though_nobody_tells_of_it(stage, monkeypatch) -> None:
    monkeypatch.setattr(stage.drawing._surfaces._still, "forget", lambda: None)
    assert stage.painted()[1] == 0
    stage.view.camera.azimuth = 70
    assert stage.painted()[1] == 2


def test_nothing_is_laid_over_what_others_draw(stage) -> None:
    others = Markers(pos=np.array([(3.0, 3.0, -4.0)]), size=60, parent=stage.view.scene)
    for _ in range(2):
        picture, drawn = stage.painted()
        assert drawn == 2
    others.visible = False
    stage.picture()
    assert stage.painted()[1] == 0
    others.visible = True
    again, drawn = stage.painted()
    assert drawn == 2
    np.testing.assert_array_equal(again, picture)
    others.order = 2000  # above everything
    stage.picture()
    assert stage.painted()[1] == 0
    stage.view.bgcolor = "grey"  # a frame that shows something
    stage.picture()
    assert stage.painted()[1] == 2


def test_pictures_for_files_are_drawn_in_full(stage) -> None:
    before, shown = stage.counts, stage.picture()
    assert stage.counts == before
    rendered = stage.canvas.render()[..., :3]
    assert stage.counts == before + 2
    assert np.abs(rendered.astype(int) - shown).mean() < 0.5
    np.testing.assert_array_equal(stage.picture(), shown)


@pytest.mark.parametrize("lost", ["context", "card", "error"])
def test_without_what_it_needs_everything_is_drawn(stage, monkeypatch, lost) -> None:
    full, still = stage.in_full(), stage.drawing._surfaces._still
    if lost == "context":
        still._context = object()
    elif lost == "card":
        monkeypatch.setattr("napari_surgplan._still.SOFTWARE", ())
    else:
        monkeypatch.setattr("napari_surgplan._still._EVERYTHING", 1)  # no plane of a picture
    picture, drawn = stage.painted()
    assert drawn == 2
    np.testing.assert_array_equal(picture, full)
    assert stage.painted()[1] == (0 if lost == "context" else 2)
