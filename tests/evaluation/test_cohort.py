"""Means, intervals and gaps against values that are known."""

import numpy as np
import pytest

from surgplan.errors import CorruptFileError, InputRefusedError, NothingToDoError
from surgplan.evaluation import Evaluation, StructureScore, evaluate_cohort, read_subgroups


def case(**dice: float) -> Evaluation:
    return Evaluation(
        scores=tuple(
            StructureScore(
                name=name,
                dice=value,
                nsd=None,
                hd95_mm=10 * (1 - value),
                assd_mm=None,
                cl_dice=None,
                reference_ml=100.0,
                predicted_ml=100 * value,
                volume_error_percent=100 * (value - 1),
            )
            for name, value in dice.items()
        )
    )


def test_means_and_intervals_over_cases() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.8, 0.1, 200)
    cohort = evaluate_cohort({str(n): case(liver=float(v)) for n, v in enumerate(values)})
    dice = next(f for f in cohort.figures if f.metric == "dice")
    assert dice.mean == pytest.approx(values.mean())
    assert dice.median == pytest.approx(np.median(values))
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))  # what theory says of the mean
    assert dice.low == pytest.approx(values.mean() - half, abs=0.2 * half)
    assert dice.high == pytest.approx(values.mean() + half, abs=0.2 * half)
    error = next(f for f in cohort.figures if f.metric == "volume_error_percent")
    assert error.mean == pytest.approx(100 * np.abs(values - 1).mean())
    assert not [f for f in cohort.figures if f.metric == "nsd"]


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(3).uniform(0.5, 1, 30)
    cases = {str(n): case(liver=float(v)) for n, v in enumerate(values)}
    assert evaluate_cohort(cases).figures == evaluate_cohort(cases).figures
    assert evaluate_cohort(cases, seed=1).figures != evaluate_cohort(cases).figures


def test_one_case_has_no_interval_and_none_is_refused() -> None:
    figure = evaluate_cohort({"a": case(liver=0.9)}).figures[0]
    assert (figure.low, figure.high, figure.cases) == (None, None, 1)
    with pytest.raises(NothingToDoError):
        evaluate_cohort({})


def test_the_worst_group_and_its_gap() -> None:
    cases = {"a": case(liver=0.9), "b": case(liver=0.9), "c": case(liver=0.6), "d": case(liver=1)}
    groups = {"vendor": {"a": "X", "b": "X", "c": "Y"}, "sex": {"a": "f"}}
    (gap,) = evaluate_cohort(cases, groups).groups
    assert (gap.column, gap.worst) == ("vendor", "Y")
    assert gap.means == {"X": pytest.approx(0.9), "Y": pytest.approx(0.6)}
    assert gap.gap == pytest.approx(0.8 - 0.6)


def test_numbers_are_put_into_bands(tmp_path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(
        "case,phase,age,slice_thickness_mm\na,portal,39.9,1.5\nb,,60,0.8\nc,arterial,75,5\n"
    )
    groups = read_subgroups(path)
    assert groups["phase"] == {"a": "portal", "c": "arterial"}
    assert groups["age band"] == {"a": "under 40", "b": "60 to 74", "c": "from 75"}
    assert groups["slice thickness"] == {"a": "1.5 to 3 mm", "b": "under 1.5 mm", "c": "from 5 mm"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name,age\na,3\n", InputRefusedError),
        ("case,age\na,3\na,4\n", InputRefusedError),
        ("case,age\na,old\n", InputRefusedError),
        (b"\xff\xfe\x00", CorruptFileError),
    ],
)
def test_tables_that_cannot_be_right_are_refused(tmp_path, text, error) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(error):
        read_subgroups(path)
