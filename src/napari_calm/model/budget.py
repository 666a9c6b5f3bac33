"""How much to compute between two signs of life.

Work is cut into pieces of about the same number of multiply-adds, so that a piece takes
a fraction of a second on a laptop and cancelling is quick whatever the model's size.
"""

import torch

from .config import DynamicsConfig, TokenizerConfig

MULTIPLY_ADDS_PER_PIECE = {"cpu": 8e9}
MULTIPLY_ADDS_ON_ACCELERATOR = 4e11


class Share:
    """Which part of the usual piece of work this process takes at once on an accelerator.

    Halved by whoever ran out of its memory.
    """

    of_accelerator = 1.0


def _positions(multiply_adds_per_position: float, device: torch.device) -> int:
    on_accelerator = MULTIPLY_ADDS_ON_ACCELERATOR * Share.of_accelerator
    budget = MULTIPLY_ADDS_PER_PIECE.get(device.type, on_accelerator)
    return max(1, int(budget / multiply_adds_per_position))


def dynamics_positions(config: DynamicsConfig, device: torch.device) -> int:
    """Tokens (of all neurons and samples) that the dynamics take at once."""
    attention = 8 * config.width**2
    mlp = 2 * config.width * config.mlp_width
    return _positions(config.n_layers * (attention + mlp), device)


def tokenizer_positions(config: TokenizerConfig, device: torch.device) -> int:
    """Tokens (of all rows) that the tokenizer takes at once."""
    blocks = max(config.n_encoder_blocks, config.n_decoder_blocks, 1)
    return _positions(blocks * 12 * config.width**2, device)
