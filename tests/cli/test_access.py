"""`surgplan plan access` on a phantom case."""


def test_needles_and_ports_are_found_for_a_plan(surgplan_cli, case) -> None:
    names = [p["name"] for p in surgplan_cli("plan", "compare", case, "--json").answer["plans"]]
    told = surgplan_cli("plan", "access", case, names[0], "--ports", "2", "--json")
    assert told.code == 0, told.err
    answer = told.answer
    assert "Not a medical device" in answer["notice"]
    assert 1 <= len(answer["ports"]) <= 2
    assert 0 < answer["reached_share"] <= 1
    assert answer["needles"]
    for needle in answer["needles"]:
        assert all(way["clearance_mm"] >= 3 for way in needle["best"])
        assert all(way["length_mm"] <= 200 for way in needle["best"])
    told = surgplan_cli("plan", "access", case, names[0], "--ports", "2")
    assert told.code == 0, told.err
    assert "port 1" in told.out
    assert "Not a medical device" in told.out


def test_a_plan_that_is_not_there_has_no_access(surgplan_cli, case) -> None:
    assert surgplan_cli("plan", "access", case, "no-such-plan").code == 4
