from surgplan.training._chance import stream


def test_neighbouring_numbers_share_no_random_numbers() -> None:
    drawn = [set(stream(7, number).random(200)) for number in range(20)]
    assert len(set.union(*drawn)) == 20 * 200
    assert set(stream(7, 3).random(200)) == drawn[3]
    assert drawn[0].isdisjoint(stream(8, 0).random(200))
