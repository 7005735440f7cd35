"""The losses of AVION (docs/method.md section 6), all in float32.

L = L_task + 0.5 L_img + 0.5 L_text + w(t) L_logit
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_alignment(student: Tensor, target: Tensor) -> Tensor:
    """1 - cos(student_i, target_i), mean over rows; both (N, D). L_img and L_text with a map."""
    return (1 - F.cosine_similarity(student.float(), target.float(), dim=-1)).mean()


def relational_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the two similarity matrices; (N, D_S) and (N, D_T), unit norm.

    The `gram` option: no map is needed, only relations are matched. The diagonal is 1 on both sides and
    does not count; a single row has no relations and gives 0.
    """
    count = len(student)
    if count < 2:
        return student.sum() * 0.0
    difference = student.float() @ student.float().T - teacher.float() @ teacher.float().T
    off_diagonal = ~torch.eye(count, dtype=torch.bool, device=difference.device)
    return difference[off_diagonal].square().mean()


def multi_positive(logits: Tensor, match: Tensor) -> Tensor:
    """L_task of retrieval: symmetric contrastive loss of B images and T texts, all that match being positives.

    The mean of both directions; in each, a query's target spreads evenly over what matches it (Khosla et al., 2020,
    arXiv 2004.11362, with the sum outside of the logarithm).

    Args:
        logits: (B, T). match: (B, T) bool; every row and every column has a match.
    """
    share = match.float()
    ways = (logits.float(), share), (logits.float().T, share.T)
    each = [-(F.log_softmax(scores, dim=1) * of / of.sum(1, keepdim=True)).sum(1).mean() for scores, of in ways]
    return (each[0] + each[1]) / 2


def similarity_alignment(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """tau^2 KL(softmax(l_T / tau) || softmax(l_S / tau)), batch mean; both (B, C). L_logit."""
    student = F.log_softmax(student_logits.float() / temperature, dim=-1)
    teacher = F.log_softmax(teacher_logits.float() / temperature, dim=-1)
    return temperature**2 * F.kl_div(student, teacher, log_target=True, reduction="batchmean")


def warmup_weight(step: int, steps: int, share: float) -> float:
    """w(t): from 0 at the first step linearly to 1 after `share` of the steps; step counts from 0."""
    ramp = share * steps
    return 1.0 if ramp <= 0 else min(1.0, step / ramp)
