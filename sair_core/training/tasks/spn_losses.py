"""The losses of the SPN paper, each with its equation's number.

Norms are means over elements, not sums, so that weights do not depend on sizes. All in float32.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from sair_core.config import require, strict_dataclass
from sair_core.holes import hole_share

ALPHA, DELTA, EPSILON = 3.0, 4.0, 1e-5
DETAIL_PX = 4  # of a photo's smallest details, of which a highlight's glare does not make its gamut


@strict_dataclass
class SpnWeights:
    """Eq. (12) and (15): the lambdas 1 to 5, in this order after the prior's 1.

    gamut: of `gamut_loss`, which the paper does not have.
    """

    prior: float = 1.0
    image: float = 10.0
    adversarial: float = 1.0
    feature: float = 10.0
    diverse: float = 1.0
    kl: float = 0.05
    gamut: float = 0.0

    def __post_init__(self) -> None:
        for name, weight in dataclasses.asdict(self).items():
            require(weight >= 0, f"{name} must not be negative, got {weight}")

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return Eq. (12), or Eq. (15) of a probabilistic model: the weighted sum of the given terms.

        terms: scalars by the names of these fields. Raises ConfigError for any other name.
        """
        unknown = sorted(set(terms) - set(dataclasses.asdict(self)))
        require(bool(terms) and not unknown, f"want at least one loss of known name, got {unknown}")
        return reduce(operator.add, (getattr(self, name) * term for name, term in terms.items()))


# What the weights of `SpnTrainConfig` are by default. The patch adversary's are the paper's but for Eq. (14):
# with 1 two fills would have to differ as much as two photos do. Beside the projected one priors learn from
# maps of an EfficientNet-Lite, whose values are of several units; with 1 its gradient, a mean over the hole
# alone, would be twenty times that of its features, a mean over the picture, and fills would be noise.
WEIGHTS = {
    "patch": SpnWeights(diverse=0.05),
    "projected": SpnWeights(prior=0.1, image=2.0, adversarial=0.4, feature=2.0, diverse=0.1, gamut=8.0),
}


def choose_weights(adversary: str, chosen: Mapping[str, float | None]) -> SpnWeights:
    """Return the weights of an adversary in WEIGHTS, but those that are chosen and not None."""
    given = {name: weight for name, weight in chosen.items() if weight is not None}
    return dataclasses.replace(WEIGHTS[adversary], **given)


def prior_loss(
    predicted: Sequence[Tensor], target: Sequence[Tensor], hole01: Tensor, alpha: float = ALPHA
) -> Tensor:
    """Return Eq. (4): `sum_l |(S_target^l - f^l(S_prior^l)) (1 + alpha M^l)|`.

    predicted, target: `(B, C_l, h_l, w_l)` a scale; hole01 `(B, 1, H, W)`, averaged over the cells of each.
    """
    terms = [
        _weighted_l1(p, t, hole_share(hole01, p.shape[-2:]), alpha)
        for p, t in zip(predicted, target, strict=True)
    ]
    return reduce(operator.add, terms)


def kl_loss(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return Eq. (6): `KL(N(mean, sigma^2) || N(0, 1))`. Both `(B, C, h, w)`, sigma > 0."""
    mean, sigma = mean.float(), sigma.float()
    return (0.5 * (mean.square() + sigma.square() - 1) - sigma.log()).mean()


def image_loss(rgb01: Tensor, target01: Tensor, hole01: Tensor, delta: float = DELTA) -> Tensor:
    """Return Eq. (10): `|(I_full - I) (1 + delta M)|`.

    rgb01, target01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)`.
    """
    return _weighted_l1(rgb01, target01, hole01, delta)


def gamut_loss(filled01: Tensor, rgb01: Tensor, hole01: Tensor) -> Tensor:
    """Return by how much fills are darker, brighter or more colourful than anything in their photos.

    The mean over the hole of how far brightness, red - green and yellow - blue lie outside the photo's own,
    whose smallest details are averaged. filled01, rgb01 `(B, 3, H, W)`, hole01 `(B, 1, H, W)`.
    """
    filled, present = _opponent(filled01), _opponent(F.avg_pool2d(rgb01.float(), DETAIL_PX, ceil_mode=True))
    low, high = present.amin((2, 3), keepdim=True), present.amax((2, 3), keepdim=True)
    beyond = (F.relu(filled - high) + F.relu(low - filled)).sum(1, keepdim=True)
    return _inside(beyond, hole01)


def adversarial_loss(fake_logits: Tensor) -> Tensor:
    """Return Eq. (11), the generator's: `-log D(I)`, D the probability of being real.

    As printed, `-log(1 - D(I))`, it is the same with D the probability of being generated.
    """
    return F.softplus(-fake_logits.float()).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return Eq. (11), the discriminator's, to be minimised: `-log D(I_full) - log(1 - D(I))`."""
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


def generator_hinge_loss(fake_logits: Sequence[Tensor], hole01: Tensor) -> Tensor:
    """Return `-D(I)`, the mean over scales, where there is hole. logits: `(B, 1, h_i, w_i)` a scale."""
    return -reduce(operator.add, (_inside(logits, hole01) for logits in fake_logits)) / len(fake_logits)


def hinge_loss(real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor], hole01: Tensor) -> Tensor:
    """Return `max(0, 1 - D(I_full)) + max(0, 1 + D(I))` where there is hole, the mean over scales.

    Both at the same places of the same photos, so that a photo's margins and what augmentation cuts out of it
    tell nothing.
    """
    terms = [
        _inside(F.relu(1 - real.float()), hole01) + _inside(F.relu(1 + fake.float()), hole01)
        for real, fake in zip(real_logits, fake_logits, strict=True)
    ]
    return reduce(operator.add, terms) / len(terms)


def feature_loss(maps: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Return a line of Eq. (13): the mean over layers of `|phi^i(I_full) - phi^i(I)|`; no gradient to target.

    The discriminator's maps (N = 3) and the perceptual network's (K = 5) each give such a term.
    """
    terms = [F.l1_loss(m.float(), t.detach().float()) for m, t in zip(maps, target, strict=True)]
    return reduce(operator.add, terms) / len(terms)


def diversity_loss(
    first: Sequence[Tensor], second: Sequence[Tensor], hole01: Tensor, epsilon: float = EPSILON
) -> Tensor:
    """Return Eq. (14): the mean over layers of `1 / (|(phi^i(I_1) - phi^i(I_2)) M_i| + epsilon)`.

    first, second: maps `(B, C_i, h_i, w_i)` of two fills of the same photos; hole01 `(B, 1, H, W)`. The norm
    is a mean over the hole alone, so that two fills of a small hole need not differ more.
    """
    terms = []
    for a, b in zip(first, second, strict=True):
        hole = hole_share(hole01, a.shape[-2:])
        distance = ((a.float() - b.float()).abs() * hole).sum() / (a.shape[1] * hole.sum()).clamp_min(EPSILON)
        terms.append(1 / (distance + epsilon))
    return reduce(operator.add, terms) / len(terms)


def _inside(values: Tensor, hole01: Tensor) -> Tensor:
    """Return the mean of `(B, 1, h, w)` over cells weighted by their share of hole; 0 without any hole."""
    share = hole_share(hole01, values.shape[-2:])
    return (values.float() * share).sum() / share.sum().clamp_min(1.0)


def _opponent(rgb01: Tensor) -> Tensor:
    """Return brightness, red - green and yellow - blue of colours `(B, 3, H, W)`, in the same shape."""
    red, green, blue = rgb01.float().unbind(1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], dim=1)


def _weighted_l1(a: Tensor, b: Tensor, hole: Tensor, extra: float) -> Tensor:
    return ((a.float() - b.float()).abs() * (1 + extra * hole.float())).mean()
