"""Dice and cross entropy with structures that a source counts together."""

import math

import pytest
import torch

from surgplan.training._loss import grouped_loss


def sharp(classes: torch.Tensor, count: int) -> torch.Tensor:
    one_hot = torch.nn.functional.one_hot(classes, count).permute(3, 0, 1, 2).float()
    return (one_hot - 0.5) * 60


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_does() -> None:
    target = torch.randint(0, 4, (6, 6, 6), generator=torch.Generator().manual_seed(0))
    loss, dice = grouped_loss(sharp(target, 4), target, torch.arange(4))
    assert float(loss) == pytest.approx(0, abs=1e-4)
    assert torch.allclose(dice[1:], torch.ones(3), atol=1e-4)
    wrong, _ = grouped_loss(sharp((target + 1) % 4, 4), target, torch.arange(4))
    assert float(wrong) > 5


def test_merged_structures_are_not_told_apart() -> None:
    target = torch.zeros(4, 4, 4, dtype=torch.long)
    target[1:3] = 1
    answer = target.clone()
    answer[2] = 2
    apart, _ = grouped_loss(sharp(answer, 3), target, torch.arange(3))
    together, _ = grouped_loss(sharp(answer, 3), target, torch.tensor([0, 1, 1]))
    assert float(apart) > 1
    assert float(together) == pytest.approx(0, abs=1e-4)


def test_uniform_scores_cost_the_logarithm_of_the_group() -> None:
    target = torch.zeros(3, 3, 3, dtype=torch.long)
    loss, dice = grouped_loss(torch.zeros(4, 3, 3, 3), target, torch.tensor([0, 0, 2, 3]))
    assert float(loss) == pytest.approx(math.log(2), abs=1e-5)
    assert torch.isnan(dice).all()


def test_an_emphasised_structure_counts_more() -> None:
    target = torch.tensor([0, 1, 2, 0]).repeat(16).reshape(4, 4, 4)
    logits = sharp(torch.where(target == 2, 0, target), 3)  # misses 2
    plain, _ = grouped_loss(logits, target, torch.arange(3))
    strict, _ = grouped_loss(logits, target, torch.arange(3), torch.tensor([1.0, 1.0, 5.0]))
    lenient, _ = grouped_loss(logits, target, torch.arange(3), torch.tensor([1.0, 1.0, 0.2]))
    assert float(strict) > float(plain) > float(lenient)


def test_the_gradient_pushes_towards_the_target() -> None:
    logits = torch.zeros(3, 2, 2, 2, requires_grad=True)
    target = torch.ones(2, 2, 2, dtype=torch.long)
    loss, _ = grouped_loss(logits, target, torch.arange(3))
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[1] < 0).all()
    assert (logits.grad[2] > 0).all()
