"""A name for the weights that hidden states come of, to tell models of one title apart."""

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .calm import CalmModel


def fingerprint(model: "CalmModel") -> str:
    """Return 16 hexadecimal digits that change with whatever changes a hidden state.

    That is the tokenizer, the dynamics with the rows fitted to a recording, and how
    recordings are prepared; not the forecast head, nor the device.

    Examples
    --------
    >>> from napari_calm.model.calm import CalmModel
    >>> one, same, other = CalmModel.random(0), CalmModel.random(0), CalmModel.random(1)
    >>> fingerprint(one) == fingerprint(same), fingerprint(one) == fingerprint(other)
    (True, False)
    """
    digest = hashlib.sha256(repr(model.config.preprocessing).encode())
    for part in (model.tokenizer, model.dynamics):
        for name, value in sorted(part.state_dict().items()):
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            plain = value.detach().cpu().contiguous().flatten()
            digest.update(plain.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
