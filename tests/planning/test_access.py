import numpy as np
import pytest

from surgplan.errors import NothingToDoError, UsageError
from surgplan.planning import (
    Instrument,
    PlaneResection,
    PortSettings,
    body_mask,
    needle_paths,
    obstacles_of,
    port_reach,
    propose_ports,
    rehearse,
)
from surgplan.planning._skin import skin_of
from surgplan.volume import (
    ANATOMY,
    BONE,
    BOWEL,
    LIVER,
    LUNGS,
    PORTAL_VEIN,
    Geometry,
    LabelMap,
    Volume,
)

HALF = np.array([110.0, 80.0, 70.0])
GRIDS = [((2.5, 1.6, 1.6), None), ((3.0, 1.5, 1.5), 4)]
TARGET = np.array([10.0, 5.0, -8.0])
RNG = np.random.default_rng(11)
BALLS = [
    (segment, centre * HALF * 0.6, radius)
    for segment, centre, radius in zip(
        (BONE, LUNGS, BOWEL, PORTAL_VEIN) * 4,
        [v / np.linalg.norm(v) for v in RNG.normal(size=(16, 3))],
        RNG.uniform(2.5, 12.0, size=16),
        strict=True,
    )
]
RODS = [
    (BONE, np.array([-60.0, -50.0, 30.0]), np.array([70.0, -48.0, 20.0]), 4.0),
    (PORTAL_VEIN, np.array([-40.0, -20.0, -40.0]), np.array([50.0, -25.0, -35.0]), 2.0),
]


def near_line(points, start, end):
    way = np.subtract(end, start)
    share = np.clip((points - start) @ way / (way @ way), 0, 1)
    return np.linalg.norm(points - start - share[..., None] * way, axis=-1)


def between(entries, target):
    """Exact distance from each way to the nearest planted obstacle."""
    least = np.full(len(entries), np.inf)
    for _, centre, radius in BALLS:
        way = target - entries
        share = ((centre - entries) * way).sum(axis=1) / (way**2).sum(axis=1)
        foot = entries + np.clip(share, 0, 1)[:, None] * way
        least = np.minimum(least, np.linalg.norm(foot - centre, axis=1) - radius)
    share = np.linspace(0, 1, 2001)[:, None, None]
    points = entries + share * (target - entries)
    for _, start, end, radius in RODS:
        least = np.minimum(least, near_line(points, start, end).min(axis=0) - radius)
    return least


@pytest.fixture(scope="module", params=GRIDS, ids=["straight", "oblique"])
def scene(request, space):
    spacing, turn = request.param
    made = space(spacing, HALF + 6, turn)
    array = np.zeros(made.geometry.shape, dtype=np.uint8)
    body = ((made.points / HALF) ** 2).sum(axis=-1) < 1
    array[np.linalg.norm(made.points - TARGET, axis=-1) < 25] = LIVER.label
    for segment, centre, radius in BALLS:
        array[np.linalg.norm(made.points - centre, axis=-1) < radius] = segment.label
    for segment, start, end, radius in RODS:
        array[near_line(made.points, start, end) < radius] = segment.label
    return LabelMap(array=array, geometry=made.geometry, segments=ANATOMY), body


@pytest.fixture(scope="module")
def paths(scene):
    instrument = Instrument(diameter_mm=2.0, clearance_mm=2.0, length_mm=150.0)
    return needle_paths(*scene, tuple(TARGET), instrument=instrument)


def test_every_collision_is_found(paths):
    truth = between(paths.entries_mm, TARGET)
    hit = truth < paths.instrument.wanted_mm
    assert hit.sum() > 200
    assert not paths.free[hit].any()


def test_ways_with_room_to_spare_are_free(scene, paths):
    label_map, _ = scene
    truth = between(paths.entries_mm, TARGET)
    coarse = max(label_map.geometry.spacing_mm)
    clear = truth > paths.instrument.wanted_mm + 1.2 * coarse
    assert clear.sum() > 50
    assert paths.free[clear].all()


def test_clearance_is_exact_below_a_voxel(scene, paths):
    label_map, _ = scene
    truth = between(paths.entries_mm, TARGET) - paths.instrument.diameter_mm / 2
    near = (truth > 0) & (truth < 15)
    slack = max(label_map.geometry.spacing_mm) / 2
    error = paths.clearance_mm[near] - (truth[near] - slack)
    assert np.abs(error).max() < max(label_map.geometry.spacing_mm)
    assert np.abs(np.median(error)) < 0.4


def test_the_best_way_comes_first_and_names_what_is_near(paths):
    assert paths.free[0]
    assert (np.diff(paths.free.astype(int)) <= 0).all()
    blocked = np.flatnonzero(paths.clearance_mm < 0)
    assert (paths.obstacle[blocked] >= 0).all()
    names = {paths.obstacles[n].name for n in paths.obstacle[blocked]}
    assert {"bone", "lungs", "portal vein"} <= names
    assert "Not a medical device" in paths.notice


def test_an_instrument_that_is_too_short_has_no_way(scene):
    short = Instrument(length_mm=30.0)
    assert not needle_paths(*scene, tuple(TARGET), instrument=short).free.any()


def test_skin_is_where_the_body_ends_and_not_behind(scene):
    label_map, body = scene
    points, outward = skin_of(body, label_map.geometry, 6.0)
    assert np.abs(np.sqrt(((points / HALF) ** 2).sum(axis=1)) - 1).max() < 0.12
    normal = points / HALF**2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    assert ((normal * outward).sum(axis=1) > 0.9).mean() > 0.93
    assert outward[:, 1].max() < 0.5


def test_the_end_of_the_scan_is_no_skin():
    geometry = Geometry.from_spacing(shape=(20, 40, 40), spacing_mm=(5.0, 2.0, 2.0))
    rows, columns = np.mgrid[:40, :40]
    body = np.broadcast_to((rows - 20) ** 2 + (columns - 20) ** 2 < 15**2, geometry.shape)
    points, outward = skin_of(body, geometry, 4.0)
    middle = geometry.to_lps((10, 20, 20))
    away = np.linalg.norm((points - middle)[:, :2], axis=1)
    assert away.min() > 25
    assert np.abs(outward[:, 2]).max() < 0.3


def test_a_body_is_found_in_a_scan_without_the_table():
    geometry = Geometry.from_spacing(shape=(8, 60, 60), spacing_mm=(5.0, 2.0, 2.0))
    rows, columns = np.mgrid[:60, :60]
    truth = (rows - 28) ** 2 / 20**2 + (columns - 30) ** 2 / 25**2 < 1
    lung = (rows - 26) ** 2 + (columns - 22) ** 2 < 6**2
    table = (rows > 50) & (rows < 53)
    hounsfield = np.where(truth, 40, -1000)
    hounsfield[lung] = -850
    hounsfield[table] = 200
    array = np.broadcast_to(hounsfield, geometry.shape).astype(np.int16)
    found = body_mask(Volume(array=array, geometry=geometry, modality="CT"))
    assert (found != truth).mean() < 0.01
    assert found[4][lung].all()
    assert not found[4][table].any()


@pytest.fixture(scope="module")
def cut(scene):
    label_map, _ = scene
    plane = PlaneResection(point_mm=tuple(TARGET), normal=(1, 0, 0))
    return rehearse(label_map, plane, ()).front


def test_a_port_reaches_what_lies_in_its_cone(scene, cut):
    label_map, _ = scene
    nothing = obstacles_of(label_map, ())
    port = TARGET - np.array([0.0, 60.0, 0.0])
    settings = PortSettings(cone_deg=15.0)
    found = port_reach(nothing, cut, port[None], np.array([[0.0, 1.0, 0.0]]), settings)
    way = found.pieces_mm - port
    angle = np.degrees(np.arccos(way[:, 1] / np.linalg.norm(way, axis=1)))
    assert (found.reached[0] == (angle <= 15)).all()
    assert 0.2 < found.share() < 1
    assert found.area_mm2.sum() == pytest.approx(cut.area_mm2.sum())


def test_shafts_that_hit_something_do_not_reach(scene, cut):
    label_map, _ = scene
    obstacles = obstacles_of(label_map, [segment for segment, *_ in BALLS])
    ports = TARGET + np.array([[0.0, -70, 10], [0, -60, -30], [40, -50, 0], [-30, -55, 15]])
    settings = PortSettings(cone_deg=89.0)
    found = port_reach(obstacles, cut, ports, TARGET - ports, settings)
    for number, port in enumerate(ports):
        truth = np.array([between(port[None], piece)[0] for piece in found.pieces_mm])
        hit = truth < settings.instrument.wanted_mm
        assert not found.reached[number][hit].any()
        clear = truth > settings.instrument.wanted_mm + 1.2 * max(label_map.geometry.spacing_mm)
        assert found.reached[number][clear].all()
        assert (found.blocked_by[number][hit] >= 0).all()


def test_ports_are_proposed_apart_and_add_to_the_reach(scene, cut):
    label_map, body = scene
    settings = PortSettings(apart_mm=50.0)
    found = propose_ports(label_map, body, cut, count=3, settings=settings)
    assert len(found.ports_mm) == 3
    apart = np.linalg.norm(found.ports_mm[:, None] - found.ports_mm[None], axis=2)
    assert apart[np.triu_indices(3, 1)].min() >= 50
    shares = [found.share(range(n)) for n in (1, 2, 3)]
    assert shares == sorted(shares)
    assert found.share() > 0.9
    assert found.only([0]).share() == shares[0]


def test_impossible_access_is_refused(scene):
    label_map, body = scene
    with pytest.raises(UsageError, match="inside the body"):
        needle_paths(label_map, body, (500.0, 0, 0))
    with pytest.raises(UsageError, match="above 0"):
        Instrument(diameter_mm=0)
    with pytest.raises(UsageError, match="cone_deg"):
        PortSettings(cone_deg=95)
    with pytest.raises(NothingToDoError, match="no voxel"):
        skin_of(np.zeros_like(body), label_map.geometry, 5.0)
    with pytest.raises(UsageError, match="CT"):
        body_mask(
            Volume(
                array=np.zeros(label_map.geometry.shape, dtype=np.float32),
                geometry=label_map.geometry,
                modality="MR",
            )
        )


def test_a_cut_behind_bone_has_no_port(space):
    made = space((3.0, 3.0, 3.0), (60, 60, 60))
    away = np.linalg.norm(made.points, axis=-1)
    array = np.where(away < 20, LIVER.label, 0).astype(np.uint8)
    array[(away > 30) & (away < 38)] = BONE.label
    label_map = LabelMap(array=array, geometry=made.geometry, segments=ANATOMY)
    plane = PlaneResection(point_mm=(0, 0, 0), normal=(1, 0, 0))
    front = rehearse(label_map, plane, ()).front
    with pytest.raises(NothingToDoError, match="no place on the skin"):
        propose_ports(label_map, away < 55, front)
