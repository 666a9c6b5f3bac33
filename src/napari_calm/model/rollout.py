"""Tokens after the ones that were seen, one step at a time."""

from collections.abc import Callable, Generator
from typing import NamedTuple

import torch
from torch import Tensor

from .dynamics import Dynamics

Choose = Callable[[Tensor, int], Tensor]


class Window(NamedTuple):
    """Tokens `start` to `stop` seen at once; those from `new` on are forecast in it."""

    start: int
    new: int
    stop: int


def windows(n_prefix: int, n_new: int, max_tokens: int, keep_tokens: int) -> list[Window]:
    """Split a roll-out into windows no longer than those of training.

    A window that is full hands its last `keep_tokens` tokens to the next.

    Examples
    --------
    >>> [tuple(window) for window in windows(3, 6, max_tokens=5, keep_tokens=3)]
    [(0, 3, 5), (2, 5, 7), (4, 7, 9)]
    """
    total = n_prefix + n_new
    found = [Window(0, n_prefix, min(max(max_tokens, n_prefix + 1), total))]
    while found[-1].stop < total:
        new = found[-1].stop
        start = new - keep_tokens
        found.append(Window(start, new, min(start + max_tokens, total)))
    return found


def most_likely(logits: Tensor, _step: int) -> Tensor:
    """Choose the token with the highest score (greedy decoding)."""
    return logits.argmax(-1)


def sampled(uniforms: Tensor) -> Choose:
    """Draw tokens from their probabilities by inverting the cumulative distribution.

    Parameters
    ----------
    uniforms : Tensor, (batch, neurons, steps)
        Numbers in [0, 1). Drawn by the caller, so that a sample does not depend on how
        neurons and samples were batched.
    """

    def choose(logits: Tensor, step: int) -> Tensor:
        cumulative = logits.softmax(-1).cumsum(-1)
        # The last sum may fall short of 1 by rounding.
        below = cumulative[..., :-1] <= uniforms[..., step, None]
        return below.sum(-1)

    return choose


@torch.no_grad()
def roll_out_steps(
    dynamics: Dynamics,
    prefix: Tensor,
    n_new: int,
    choose: Choose = most_likely,
    *,
    max_tokens: int,
    keep_tokens: int,
    neuron_ids: Tensor | None = None,
    session_ids: Tensor | None = None,
    tokens_per_piece: int | None = None,
    use_cache: bool = True,
) -> Generator[int, None, Tensor]:
    """Continue `prefix` by `n_new` tokens; yields the number made so far.

    Parameters
    ----------
    prefix : Tensor of int64, (batch, neurons, tokens)
        Tokens that were seen.
    choose : callable
        Given scores (batch, neurons, codes) and the step, returns tokens.
    tokens_per_piece : int, optional
        At most so many prefix tokens between two yields, so that a long prefix can be
        cancelled.
    use_cache : bool
        Whether keys and values of past tokens are kept. The tokens are the same without;
        it is slower and serves to check the cache.

    Returns
    -------
    Tensor of int64, (batch, neurons, tokens + n_new)
    """
    tokens = prefix
    n_prefix = prefix.shape[2]
    for window in windows(n_prefix, n_new, max_tokens, keep_tokens):
        cache = dynamics.new_cache(window.stop - window.start) if use_cache else None
        unseen = tokens[:, :, window.start :]
        for position in range(window.new, window.stop):
            if cache is None:
                hidden = dynamics(tokens[:, :, window.start :], neuron_ids, session_ids)
            else:
                for piece in unseen.split(tokens_per_piece or unseen.shape[2], dim=2):
                    hidden = dynamics(piece, neuron_ids, session_ids, cache=cache)
                    yield position - n_prefix
            scores = dynamics.logits(hidden[:, :, -1])
            unseen = choose(scores, position - n_prefix)[..., None]
            tokens = torch.cat([tokens, unseen], dim=2)
            yield position - n_prefix + 1
    return tokens
