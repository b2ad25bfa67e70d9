import json
import time

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from scipy.special import comb

from surgplan.errors import CorruptFileError, NothingToDoError, ScanMismatchError, UsageError
from surgplan.planning import (
    BezierResection,
    Plan,
    PlaneResection,
    UnionResection,
    WedgeResection,
    assess,
    assess_prepared,
    cut_liver,
    plan_from_json,
    plan_to_json,
    plan_to_mrk_json,
    prepare,
    replay,
    resection_from_dict,
    tumours_of,
)
from surgplan.volume import LIVER, LIVER_TUMOUR

SPACINGS = [(0.8, 0.8, 0.8), (2.5, 0.8, 0.8), (5.0, 0.8, 0.8)]


def lattice(rows, columns, size=120.0):
    a, b = np.linspace(-size / 2, size / 2, rows), np.linspace(-size / 2, size / 2, columns)
    return np.stack([*np.meshgrid(a, b, indexing="ij"), np.zeros((rows, columns))], axis=-1)


def wavy(rows=4, columns=4, seed=0, amplitude=14.0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows, columns, 3)) * (0.25 * amplitude, 0.25 * amplitude, amplitude)
    return lattice(rows, columns) + noise


def patch_points(control, count):
    """The patch by Bernstein polynomials, ``(count, count, 3)``, as in any textbook."""
    t = np.linspace(0, 1, count)[:, None]
    bases = []
    for n in control.shape[:2]:
        k = np.arange(n)
        bases.append(comb(n - 1, k) * t**k * (1 - t) ** (n - 1 - k))
    return np.einsum("ai,bj,ijc->abc", *bases, control)


def elevated(control):
    """The same patch with one more control point either way."""
    for axis in (0, 1):
        n = control.shape[axis]
        share = (np.arange(n + 1) / n).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        ends = [(0, 0)] * 3
        ends[axis] = (1, 0)
        before = np.pad(control, ends)
        ends[axis] = (0, 1)
        control = share * before + (1 - share) * np.pad(control, ends)
    return control


@pytest.fixture(scope="module")
def cut():
    return BezierResection(control_points_mm=wavy())


@pytest.fixture(scope="module")
def near(cut):
    """Points within 10 mm of the patch, its edge included."""
    rng = np.random.default_rng(1)
    on = patch_points(cut.control_points_mm, 101).reshape(-1, 3)
    return rng.choice(on, 4000) + rng.uniform(-6, 6, (4000, 3))


@pytest.mark.parametrize("grid", [(2, 2), (3, 5), (4, 4), (8, 8)])
def test_a_flat_patch_is_a_plane(grid):
    point, normal = (7.0, -12.0, 30.0), (1.0, 0.4, -0.3)
    points = np.random.default_rng(2).uniform(-250, 250, (3000, 3))
    flat = BezierResection.from_plane(point, normal, size_mm=90, grid=grid)
    truth = PlaneResection(point_mm=point, normal=normal).distance_mm(points)
    assert np.abs(flat.distance_mm(points) - truth).max() < 1e-6


def test_points_moved_within_the_plane_leave_it_a_plane():
    control = lattice(2, 2)
    control[1, :, 1] *= 0.4  # its sides would meet 80 mm beyond
    points = np.random.default_rng(2).uniform(-250, 250, (3000, 3))
    narrowing = BezierResection(control_points_mm=control).distance_mm(points)
    assert narrowing == pytest.approx(-points[:, 2], abs=1e-6)


def test_distances_are_those_to_a_dense_sampling(cut, near):
    samples = patch_points(cut.control_points_mm, 400)
    tree = cKDTree(samples.reshape(-1, 3))
    truth, nearest = tree.query(near)
    row, column = np.divmod(nearest, 400)
    inside = (np.minimum(row, column) > 0) & (np.maximum(row, column) < 399)
    distance = np.abs(cut.distance_mm(near))
    assert inside.sum() > 2000
    gap = 0.5 * np.hypot(0.45, 0.45)  # half the diagonal between samples, across the distance
    bound = np.hypot(truth, 0) - np.sqrt(np.maximum(truth**2 - gap**2, 0))
    assert (distance - truth)[inside].max() < 1e-9
    assert (truth - distance - bound)[inside].max() < 0.05
    far = inside & (truth > 1)
    assert (truth - distance)[far].max() < 0.05


def test_sides_are_those_of_the_normal(cut):
    on = patch_points(cut.control_points_mm, 81)
    along = np.gradient(on, axis=0), np.gradient(on, axis=1)
    normals = np.cross(*along)[1:-1, 1:-1]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    front = (on[1:-1, 1:-1] + 2 * normals).reshape(-1, 3)
    assert cut.distance_mm(front) == pytest.approx(-2.0, abs=0.01)
    assert cut.other_side().distance_mm(front) == pytest.approx(2.0, abs=0.01)


def test_nothing_jumps_at_the_edge_or_anywhere_else(cut):
    rng = np.random.default_rng(4)
    points = rng.uniform(-120, 120, (8000, 3))
    moved = points + 0.5 * rng.normal(size=points.shape)
    change = np.abs(cut.distance_mm(moved) - cut.distance_mm(points))
    assert (change - np.linalg.norm(moved - points, axis=1)).max() < 0.5
    edge = patch_points(cut.control_points_mm, 201)[-1]
    outward = edge - patch_points(cut.control_points_mm, 201)[-2]
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    line = edge[:, None] + np.linspace(-1, 1, 41)[:, None] * outward[:, None]
    distance = cut.distance_mm(line.reshape(-1, 3)).reshape(201, 41)
    assert np.abs(np.diff(distance, n=2, axis=1)).max() < 1e-3  # no step and no crease
    assert np.abs(distance).max() < 0.05


def test_turning_everything_changes_nothing(cut, near):
    turn = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix()
    shift = np.array([30.0, -80.0, 400.0])
    moved = BezierResection(control_points_mm=cut.control_points_mm @ turn.T + shift)
    turned = moved.distance_mm(near @ turn.T + shift)
    assert turned == pytest.approx(cut.distance_mm(near), abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 2), (3, 4), (4, 4), (6, 7)])
def test_more_control_points_for_the_same_patch_change_nothing(shape):
    control = wavy(*shape, seed=5, amplitude=8)
    points = np.random.default_rng(6).uniform(-100, 100, (2000, 3))
    fewer = BezierResection(control_points_mm=control).distance_mm(points)
    more = BezierResection(control_points_mm=elevated(control)).distance_mm(points)
    off = np.abs(more - fewer)
    assert off[np.abs(fewer) < 15].max() < 1e-6
    assert off.max() < 0.1


@pytest.mark.parametrize(
    ("change", "side"),
    [
        (lambda c: c[::-1], "back"),
        (lambda c: c[:, ::-1], "back"),
        (lambda c: c[::-1, ::-1], "front"),
        (lambda c: c.transpose(1, 0, 2), "back"),
    ],
)
def test_numbering_the_points_otherwise_changes_nothing(cut, near, change, side):
    other = BezierResection(control_points_mm=change(cut.control_points_mm), resected_side=side)
    assert other.distance_mm(near) == pytest.approx(cut.distance_mm(near), abs=1e-6)


HALF_AXES = np.array([44.0, 37.0, 32.0])  # over the patch, whose continuation has no formula
BENT = lattice(4, 4, 90.0) + np.stack(
    [np.zeros((4, 4)), np.zeros((4, 4)), np.outer([12, -25, 10, 20], [1.0, 0.6, 1.2, 0.8])], -1
)


def above_bent_ml(half, step=0.1):
    """Millilitres of an ellipsoid above the bent patch, column by column of its height field."""
    a, b = (np.arange(-h + step / 2, h, step) for h in half[:2])
    share = np.maximum(1 - (a[:, None] / half[0]) ** 2 - (b / half[1]) ** 2, 0)
    top = half[2] * np.sqrt(share)
    bases = []
    for at in (a, b):
        t, k = (at[:, None] + 45) / 90, np.arange(4)
        bases.append(comb(3, k) * t**k * (1 - t) ** (3 - k))
    height = bases[0] @ BENT[..., 2] @ bases[1].T
    return (top - np.clip(height, -top, top)).sum() * step**2 / 1000


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("turn", [None, 7], ids=["straight", "oblique"])
def test_a_patch_divides_an_ellipsoid_as_its_columns_say(space, spacing, turn):
    liver = prepare(
        space(spacing, HALF_AXES, turn).ellipsoid(LIVER, (0, 0, 0), HALF_AXES).label_map
    )
    cut = cut_liver(liver.blocks, BezierResection(control_points_mm=BENT))
    resected, remnant = (m[:8].sum() / 1000 for m in (cut.resected_mm3, cut.remnant_mm3))
    whole = liver.liver.sum() * liver.blocks.geometry.voxel_volume_mm3 / 1000
    exact = 4 / 3 * np.pi * HALF_AXES.prod() / 1000
    assert resected == pytest.approx(above_bent_ml(HALF_AXES), abs=0.003 * exact)
    assert resected + remnant - whole == pytest.approx(0, abs=0.01)


@pytest.fixture(scope="module")
def small(space):
    body = space((3.0, 2.0, 2.0), (36, 28, 26), 3).ellipsoid(LIVER, (0, 0, 0), (34, 27, 25))
    return body.ball(LIVER_TUMOUR, (-18, -3, 4), 6).ball(LIVER_TUMOUR, (14, -6, 6), 4).label_map


def test_a_plan_with_a_patch_is_written_read_and_replayed(small, cut):
    resection = UnionResection(parts=(cut.other_side(), cut_aside()))
    plan = Plan(
        name="bent",
        resection=resection,
        assessment=assess(small, resection, margin_mm=5),
        labels_fingerprint=small.fingerprint(),
    )
    again = plan_from_json(plan_to_json(plan), small)
    assert again == plan
    assert hash(again.resection.parts[0]) == hash(plan.resection.parts[0])
    assert replay(again, small).exact
    points, edge = json.loads(plan_to_mrk_json(plan))["markups"][:2]
    assert [p["position"] for p in points["controlPoints"]] == cut.control_points_mm.reshape(
        -1, 3
    ).tolist()
    outline = np.array([p["position"] for p in edge["controlPoints"]])
    assert np.abs(cut.distance_mm(outline)).max() < 1e-6


def cut_aside():
    return BezierResection.from_plane((-20, 0, 0), (-1, 0.2, 0), size_mm=80, grid=(3, 3))


def test_two_stages_together_take_what_either_takes_and_nothing_twice(small):
    liver = prepare(small)
    first = BezierResection.on(liver, [1], 5.0)
    second = BezierResection.on(liver, [2], 5.0)
    overlapping = PlaneResection(point_mm=(-17, 0, 0), normal=(-1, 0.3, -0.4))

    def resected(*parts):
        return assess_prepared(liver, UnionResection(parts=parts), margin_mm=5).resected_ml

    one, two = resected(first), resected(second)
    assert resected(first, second) <= one + two + 0.01
    assert resected(first, first) == pytest.approx(one, abs=1e-9)
    centres = liver.blocks.geometry.to_lps(np.argwhere(liver.liver))
    either = (first.distance_mm(centres) < 0) | (overlapping.distance_mm(centres) < 0)
    both = either.sum() * liver.blocks.geometry.voxel_volume_mm3 / 1000
    total = assess_prepared(liver, first, margin_mm=5).total_ml
    assert resected(first, overlapping) == pytest.approx(both, abs=0.003 * total)
    assert resected(first, overlapping) < one + resected(overlapping) - 1


def test_lowering_is_a_minimum(cut, near):
    given = np.random.default_rng(9).uniform(-20, 40, len(near))
    lowered = given.copy()
    cut.lower(near, lowered)
    assert lowered == pytest.approx(np.minimum(given, cut.distance_mm(near)), abs=1e-9)


@pytest.mark.parametrize("chosen", [[2], [1, 2], [1, 2, 3]])
def test_a_bowl_keeps_its_margin_by_distance_transform(three_tumours, chosen):
    tumours = tumours_of(three_tumours)
    bowl = BezierResection.around_tumours(
        three_tumours, [tumours[number - 1] for number in chosen], 6.0
    )
    geometry = three_tumours.geometry
    pieces, _ = ndimage.label(three_tumours.mask(LIVER_TUMOUR), structure=np.ones((3, 3, 3)))
    for number in chosen:
        at = np.round(geometry.to_index(tumours[number - 1].centre_mm)).astype(int)
        tumour = pieces == pieces[tuple(at)]
        away = ndimage.distance_transform_edt(~tumour, sampling=geometry.spacing_mm)
        within = three_tumours.whole_liver() & (away <= 6.0)
        assert bowl.distance_mm(geometry.to_lps(np.argwhere(within))).max() < 0
    margins = [t.margin_mm for t in assess(three_tumours, bowl, margin_mm=6).tumours]
    reached = [margins[number - 1] for number in chosen]
    assert min(reached) >= 6.0 - 0.1
    assert min(reached) < 6.6


def test_a_bowl_takes_no_more_than_it_needs(three_tumours):
    liver = prepare(three_tumours)
    bowl, wedge = (kind.on(liver, [1], 8.0) for kind in (BezierResection, WedgeResection))
    amounts = [assess_prepared(liver, cut, margin_mm=8).resected_ml for cut in (bowl, wedge)]
    assert amounts[0] < 2.2 * amounts[1]


def test_a_bowl_needs_its_tumours_a_margin_and_a_grid(three_tumours):
    tumours = tumours_of(three_tumours)
    with pytest.raises(NothingToDoError, match="at least one tumour"):
        BezierResection.around_tumours(three_tumours, [], 8.0)
    with pytest.raises(UsageError, match=r"0.5\.\.50"):
        BezierResection.around_tumours(three_tumours, tumours, 60.0)
    with pytest.raises(UsageError, match="3 or more"):
        BezierResection.around_tumours(three_tumours, tumours, 6.0, grid=(2, 4))
    with pytest.raises(ScanMismatchError, match=r"not \[9\]"):
        BezierResection.on(prepare(three_tumours), [9], 6.0)


@pytest.mark.parametrize("grid", [(4, 4), (5, 6)])
def test_a_contour_is_spanned(grid):
    turn = Rotation.from_euler("xyz", (30, 10, -50), degrees=True).as_matrix()
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    local = np.stack([50 * np.cos(angle), 35 * np.sin(angle), 6 * np.sin(2 * angle)], axis=1)
    contour = local @ turn.T + (10, 20, 30)
    aside = turn @ (5, -3, 25) + (10, 20, 30)
    cut = BezierResection.from_contour(contour, resected_mm=tuple(aside), grid=grid)
    assert np.abs(cut.distance_mm(contour)).max() < 0.6
    assert cut.distance_mm(aside[None])[0] < -20
    opposite = turn @ (5, -3, -25) + (10, 20, 30)
    other = BezierResection.from_contour(contour, resected_mm=tuple(opposite), grid=grid)
    assert other.distance_mm(opposite[None])[0] < -20
    backwards = BezierResection.from_contour(contour[::-1], resected_mm=tuple(aside), grid=grid)
    middle = np.random.default_rng(0).uniform((-10, 0, 10), (30, 40, 50), (50, 3))
    assert backwards.distance_mm(middle) == pytest.approx(cut.distance_mm(middle), abs=0.2)


def test_contours_that_say_too_little_are_refused():
    straight = np.stack([np.linspace(0, 90, 20), np.zeros(20), np.zeros(20)], axis=1)
    with pytest.raises(UsageError, match="enclose an area"):
        BezierResection.from_contour(straight, resected_mm=(0, 0, 9))
    with pytest.raises(UsageError, match="3 points or more"):
        BezierResection.from_contour(straight[:2], resected_mm=(0, 0, 9))
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    crown = np.stack([50 * np.cos(angle), 50 * np.sin(angle), 30 * np.sin(9 * angle)], axis=1)
    with pytest.raises(UsageError, match="larger `grid`"):
        BezierResection.from_contour(crown, resected_mm=(0, 0, 90))
    ring = crown * (1, 1, 0)
    with pytest.raises(UsageError, match="to one side"):
        BezierResection.from_contour(ring, resected_mm=(3, 4, 0))


def folded():
    control = lattice(4, 4)
    control[1:3, :, 0] = control[2:0:-1, :, 0] * 4
    control[1, :, 2] = 30
    return control


@pytest.mark.parametrize(
    ("control", "words"),
    [
        (folded(), "fold over itself"),
        (lattice(4, 4) * (1, 0, 0), "fold over itself"),
        (np.zeros((4, 4, 3)), "fold over itself"),
        (lattice(4, 9), "2..8"),
        (lattice(4, 1), "2..8"),
        (np.zeros((4, 3)), "2..8"),
        (lattice(4, 4) * np.nan, "finite"),
    ],
)
def test_patches_without_two_sides_are_refused(control, words):
    with pytest.raises(UsageError, match=words):
        BezierResection(control_points_mm=control)


def test_a_patch_rolled_into_itself_is_refused():
    turn = np.linspace(0, 1.7 * np.pi, 8)
    spiral = np.stack([(50 - 9 * turn) * np.cos(turn), (50 - 9 * turn) * np.sin(turn)], axis=1) * 3
    control = np.stack(
        [np.concatenate([spiral, np.full((8, 1), z)], axis=1) for z in (-40.0, 0.0, 40.0)], axis=1
    )
    with pytest.raises(UsageError, match="fold over itself"):
        BezierResection(control_points_mm=control)


@pytest.mark.parametrize(
    "change",
    [
        {"control_points_mm": None},
        {"control_points_mm": [[0, 0, 0]]},
        {"control_points_mm": [[[0, 0, 0], [1, 0, 0]], [[0, 1, 0]]]},
        {"control_points_mm": [[[0, 0, 0], [1, 0, "a"]], [[0, 1, 0], [1, 1, 0]]]},
        {"control_points_mm": lattice(2, 9).tolist()},
        {"control_points_mm": folded().tolist()},
        {"resected_side": "left"},
        {"resected_side": None},
    ],
)
def test_a_damaged_patch_is_refused(three_tumours, cut, change):
    with pytest.raises(CorruptFileError):
        resection_from_dict(cut.to_dict() | change, three_tumours)


def test_sides_have_names_and_points_are_owned():
    control = lattice(2, 2)
    flat = BezierResection(control_points_mm=control)
    control += 5
    assert flat == BezierResection(control_points_mm=lattice(2, 2))
    assert flat != flat.other_side()
    assert flat != "bezier"
    with pytest.raises(ValueError, match="read-only"):
        flat.control_points_mm[0, 0, 0] = 1
    with pytest.raises(UsageError, match="'front' or 'back'"):
        BezierResection(control_points_mm=lattice(2, 2), resected_side="left")
    with pytest.raises(UsageError, match="more than 0"):
        BezierResection.from_plane((0, 0, 0), (0, 0, 1), size_mm=0)


@pytest.mark.slow
def test_three_hundred_thousand_distances_take_less_than_a_second(cut):
    rng = np.random.default_rng(3)
    on = patch_points(cut.control_points_mm, 101).reshape(-1, 3)
    points = rng.choice(on, 300_000) + rng.uniform(-6, 6, (300_000, 3))
    cut.distance_mm(points[:10])
    start = time.process_time()
    cut.distance_mm(points)
    assert time.process_time() - start < 1.0
