"""What the tokenizer is trained to make small."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from ..model.tokenizer import Tokenizer, TokenizerOutput
from .config import TokenizerTrainingConfig

FurtherTerms: TypeAlias = Callable[[TokenizerOutput, Tensor, Tokenizer], Tensor]


def pearson_loss(reconstruction: Tensor, x: Tensor) -> Tensor:
    """1 - Pearson r over time, mean over rows; both (rows, frames)."""
    a = reconstruction - reconstruction.mean(1, keepdim=True)
    b = x - x.mean(1, keepdim=True)
    r = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)
    loss: Tensor = (1 - r).mean()
    return loss


def usage_entropy(distances: Tensor) -> Tensor:
    """Entropy of the mean soft assignment, as a share of its maximum (0 to 1).

    Parameters
    ----------
    distances : Tensor, (latents, codes)
        Squared distances. They are measured in units of their mean nearest distance, so that
        the assignment is neither flat nor one-hot whatever the size of the latents.
    """
    unit = distances.min(1).values.mean().detach().clamp(min=1e-6)
    usage = (-distances / unit).softmax(1).mean(0)
    entropy = -(usage * usage.clamp(min=1e-12).log()).sum()
    share: Tensor = entropy / np.log(distances.shape[1])
    return share


def tokenizer_loss(
    tokenizer: Tokenizer,
    x: Tensor,
    config: TokenizerTrainingConfig,
    *,
    quantise: bool,
    further_terms: FurtherTerms | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch (rows, frames) and its terms.

    Reconstruction error, (1 - Pearson r) and, once quantising, commitment of the latents to
    their codes and the entropy of code use. Updates the codebook in training. Once
    quantising, `further_terms` (output, traces, tokenizer) is added to the loss; it sees the
    updated codebook.
    """
    out = tokenizer(x, quantise=quantise)
    reconstruction = F.mse_loss(out.reconstruction, x)
    pearson = pearson_loss(out.reconstruction, x)
    loss = reconstruction + config.pearson * pearson
    logged = {"reconstruction": reconstruction.item(), "one_minus_pearson": pearson.item()}
    if quantise:
        commitment = F.mse_loss(out.latents, out.quantised.detach())
        entropy = usage_entropy(tokenizer.quantizer.distances(out.latents.flatten(0, 1)))
        loss = loss + config.commitment * commitment - config.usage_entropy * entropy
        logged |= {"commitment": commitment.item(), "usage_entropy": entropy.item()}
        if tokenizer.training:
            tokenizer.quantizer.update(out.latents.detach().flatten(0, 1), out.tokens.flatten())
        if further_terms is not None:
            further = further_terms(out, x, tokenizer)
            loss = loss + further
            logged["further_terms"] = further.item()
    return loss, logged
