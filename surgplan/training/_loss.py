"""Dice and cross entropy where a source may not tell all structures apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def grouped_loss(
    logits: torch.Tensor,
    target: torch.Tensor,
    group: torch.Tensor,
    emphasis: torch.Tensor | None = None,
    balance: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Soft Dice, a mean over the structures present, plus weighted cross entropy.

    Classes of one group are added as probabilities before they are compared, so that a label map
    that counts, say, hepatic veins as liver teaches nothing wrong about either.

    Parameters
    ----------
    logits
        ``(classes, slice, row, column)``.
    target
        ``(slice, row, column)`` classes.
    group
        ``(classes,)`` the class that stands for each class.
    emphasis
        ``(classes,)`` how much each structure counts; all alike where None.
    balance
        A voxel weighs its structure's number of voxels to the power of minus this in the cross
        entropy: small structures are learned earlier, but all swell a little.

    Returns
    -------
    loss
        A scalar.
    dice
        ``(classes,)`` soft Dice, NaN for structures that are not in the target.
    """
    classes = logits.shape[0]
    wanted = group[target.flatten()]
    p = F.softmax(logits.float(), dim=0).flatten(1)  # (classes, voxels)
    merged = torch.zeros_like(p).index_add(0, group, p)
    p_wanted = merged.gather(0, wanted[None])[0]
    overlap = torch.zeros(classes, device=p.device).index_add(0, wanted, p_wanted)
    present = torch.bincount(wanted, minlength=classes)
    counts = torch.ones(classes, device=p.device) if emphasis is None else emphasis
    weight = (counts * present.clamp_min(1) ** -balance)[wanted]
    cross_entropy = -(weight * torch.log(p_wanted.clamp_min(1e-8))).sum() / weight.sum()
    dice = (2 * overlap + 1) / (merged.sum(1) + present + 1)
    counted = present > 0
    counted[0] = False
    loss = cross_entropy
    if bool(counted.any()):
        loss = loss + 1 - (counts * dice)[counted].sum() / counts[counted].sum()
    return loss, torch.where(counted, dice, torch.nan).detach()
