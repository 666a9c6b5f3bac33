"""Weights trained with the authors' release become our checkpoint."""

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ..core.errors import CheckpointError
from .calm import CalmModel
from .checkpoint import check_weights
from .config import (
    BehaviourConfig,
    CalmConfig,
    DynamicsConfig,
    PreprocessingConfig,
    TokenizerConfig,
    build_section,
)

Weights = Mapping[str, Tensor]

# (pattern of the release's name, our name), in order; design of both networks: Xu et al.
_TOKENIZER_NAMES = [
    (r"enc_discretization_layer\.0\.", "patch.conv1."),
    (r"enc_discretization_layer\.2\.", "patch.conv2."),
    (r"dec_discretization_layer\.0\.", "unpatch.deconv1."),
    (r"dec_discretization_layer\.2\.", "unpatch.deconv2."),
    (r"(encoder|decoder)\.(\d+)\.ln1\.", r"\1.\2.norm_attn."),
    (r"(encoder|decoder)\.(\d+)\.ln2\.", r"\1.\2.norm_mlp."),
    (r"(encoder|decoder)\.(\d+)\.attention\.out_proj\.", r"\1.\2.attn.out."),
    (r"(encoder|decoder)\.(\d+)\.attention\.([qkv])_proj\.", r"\1.\2.attn.\3."),
    (r"(encoder|decoder)\.(\d+)\.ffn\.0\.", r"\1.\2.mlp.up."),
    (r"(encoder|decoder)\.(\d+)\.ffn\.2\.", r"\1.\2.mlp.down."),
    (r"codebook\.weight$", "quantizer.codebook"),
    (r"ema_cluster_size$", "quantizer.ema_count"),
    (r"ema_dw$", "quantizer.ema_sum"),
]
_DYNAMICS_NAMES = [
    (r"tok_emb\.", "token_embed."),
    (r"neu_emb\.", "neuron_embed."),
    (r"ses_emb\.", "session_embed."),
    (r"time_emb\.", "time_embed."),
    (r"blocks\.(\d+)\.t_ln\.", r"blocks.\1.norm_time."),
    (r"blocks\.(\d+)\.n_ln\.", r"blocks.\1.norm_pop."),
    (r"blocks\.(\d+)\.ff_ln\.", r"blocks.\1.norm_mlp."),
    (r"blocks\.(\d+)\.t_attn\.proj\.", r"blocks.\1.time_attn.out."),
    (r"blocks\.(\d+)\.n_attn\.proj\.", r"blocks.\1.pop_attn.out."),
    (r"blocks\.(\d+)\.t_attn\.qkv\.", r"blocks.\1.time_attn.qkv."),
    (r"blocks\.(\d+)\.n_attn\.qkv\.", r"blocks.\1.pop_attn.qkv."),
    (r"blocks\.(\d+)\.ff\.0\.", r"blocks.\1.mlp.up."),
    (r"blocks\.(\d+)\.ff\.2\.", r"blocks.\1.mlp.down."),
    (r"ln_f\.", "norm_out."),
]
_BEHAVIOUR_NAMES = [
    (r"A_u$", "value_proj"),
    (r"A_v$", "gate_proj"),
    (r"B$", "neuron_readout"),
    (r"b$", "bias"),
    (r"smooth\.", "smoother."),
]
# Parts that only the release's training loss uses, and the head that is tied to tok_emb.
_UNUSED = (
    "bigram_logits", "ar_", "cpc_", "mlm_", "mtp_heads.", "head.",
    "temperature", "codebook_usage",
)  # fmt: skip


def import_release(
    *,
    tokenizer: str | Path | Weights,
    dynamics: str | Path | Weights,
    config: str | Path | Mapping[str, Any],
    behaviour: str | Path | Weights | None = None,
    name: str = "imported",
) -> CalmModel:
    """Make a model of weights under the names of the authors' release.

    Parameters
    ----------
    tokenizer, dynamics, behaviour : path or mapping of str to Tensor
        State dicts, or files of them written by torch.save. Files are opened with
        ``weights_only=True``, so nothing in them can run. A dynamics file of the release
        holds raw and averaged weights; the averaged ones are taken, as its evaluation does.
    config : path or mapping
        JSON with the release's settings: ``nq`` (tokenizer), ``dat`` (dynamics; taken from
        the dynamics file where missing), ``head`` (behaviour) and, optionally, ours:
        ``preprocessing``. What weights cannot tell (heads, causal flags, windows, memory
        of the latent smoothing) has to stand here.
    name : str
        Name of the model.

    Returns
    -------
    CalmModel
        With the release's numbers. Recordings without a fitted row use the mean of the
        neuron rows and of the session rows.

    Raises
    ------
    CheckpointError
        If a file cannot be read safely, or names, shapes or settings do not fit.
    """
    settings = _read_settings(config)
    tokenizer_weights, _ = _read_state(tokenizer, "tokenizer")
    dynamics_weights, dynamics_extra = _read_state(dynamics, "dynamics")
    nq = _section(settings, "nq")
    dat = settings.get("dat") or dynamics_extra.get("cfg")
    if not isinstance(dat, Mapping):
        raise CheckpointError("config: the section 'dat' is missing, and so is it in the file.")
    dynamics_weights = _rename(dynamics_weights, _DYNAMICS_NAMES, "dynamics")
    weights = {
        f"tokenizer.{k}": v
        for k, v in _fuse_qkv(_rename(tokenizer_weights, _TOKENIZER_NAMES, "tokenizer")).items()
    }
    weights |= {f"dynamics.{k}": v for k, v in dynamics_weights.items()}
    for row, table in (
        ("unknown_neuron", "neuron_embed"),
        ("unknown_session", "session_embed"),
    ):
        weights[f"dynamics.{row}"] = _get(dynamics_weights, f"{table}.weight", "dynamics").mean(
            0
        )
    behaviour_config = None
    if behaviour is not None:
        head_weights, _ = _read_state(behaviour, "behaviour head")
        head_weights = _rename(head_weights, _BEHAVIOUR_NAMES, "behaviour head")
        weights |= {f"behaviour.{k}": v for k, v in head_weights.items()}
        behaviour_config = _behaviour_config(_section(settings, "head"))
    preprocessing = dict(settings.get("preprocessing") or {})
    stride = _setting(nq, "overlap_window", "nq")
    preprocessing = {
        "smoothing_alpha": 0.15,
        "centre": "history",
        "context_frames": 9 * stride,
        "max_frames": 50 * stride,
    } | preprocessing
    model = CalmModel(
        CalmConfig(
            name=name,
            tokenizer=_tokenizer_config(nq),
            dynamics=_dynamics_config(dat, dynamics_weights),
            behaviour=behaviour_config,
            preprocessing=build_section(PreprocessingConfig, preprocessing, "preprocessing"),
            description="Imported from weights of the CalM authors' release.",
        )
    )
    check_weights("import", model.state_dict(), weights)
    model.load_state_dict(weights)
    return model.eval()


def _tokenizer_config(nq: Mapping[str, Any]) -> TokenizerConfig:
    names = {
        "width": "dim_emb",
        "n_codes": "n_emb",
        "n_heads": "heads",
        "n_encoder_blocks": "trans_layer_num_enc",
        "n_decoder_blocks": "trans_layer_num_dec",
        "window": "discretization_window",
        "stride": "overlap_window",
        "look_ahead_tokens": "lookahead_tokens",
        "encoder_causal": "encoder_causal",
        "decoder_causal": "decoder_causal",
        "dropout": "dropout_ratio",
    }
    values = {ours: _setting(nq, theirs, "nq") for ours, theirs in names.items()}
    alpha = _setting(nq, "temporal_ema_alpha", "nq")
    memory = 0.0 if alpha is None else round(1 - float(alpha), 12)
    return build_section(TokenizerConfig, values | {"latent_memory": memory}, "nq")


def _dynamics_config(dat: Mapping[str, Any], weights: Weights) -> DynamicsConfig:
    time_rows = weights["time_embed.weight"].shape[0] if "time_embed.weight" in weights else 0
    names = {
        "width": "d_model",
        "n_codes": "vocab",
        "n_layers": "n_layers",
        "n_heads": "n_heads",
        "mlp_width": "d_ff",
        "dropout": "dropout",
        "embedding_dropout": "emb_dropout",
        "attention_dropout": "attn_dropout",
    }
    values = {ours: _setting(dat, theirs, "dat") for ours, theirs in names.items()}
    values |= {
        "n_neurons": _get(weights, "neuron_embed.weight", "dynamics").shape[0],
        "n_sessions": _get(weights, "session_embed.weight", "dynamics").shape[0],
        "time_embedding_rows": time_rows,
    }
    return build_section(DynamicsConfig, values, "dat")


def _behaviour_config(head: Mapping[str, Any]) -> BehaviourConfig:
    names = {
        "n_channels": "beh_channels",
        "frames_per_token": "up",
        "rank": "rank",
        "smoother_taps": "conv_kernel",
        "dropout": "dropout",
    }
    values = {ours: _setting(head, theirs, "head") for ours, theirs in names.items()}
    return build_section(BehaviourConfig, values, "head")


def _read_settings(config: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        return config
    if not Path(config).is_file():
        raise CheckpointError(f"{config}: no such file.")
    try:
        values = json.loads(Path(config).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{config}: not readable as JSON ({error}).") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{config}: expected a JSON object with 'nq' and 'dat'.")
    return values


def _read_state(
    source: str | Path | Weights, part: str
) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
    """Return the plain state dict of `part` and the file's other entries."""
    content: Any = source
    where = f"{part} weights"
    if not isinstance(source, Mapping):
        where = str(source)
        try:
            content = torch.load(source, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise CheckpointError(f"{where}: no such file.") from error
        except (
            UnpicklingError,
            RuntimeError,
            LookupError,
            EOFError,
            ValueError,
            OSError,
            struct.error,
        ) as error:
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else "damaged"
            raise CheckpointError(
                f"{where}: not a file of plain weights ({first_line}). It was opened in the "
                "mode that runs no code; save a bare state dict with torch.save and try again."
            ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{where}: found {type(content).__name__}; expected a state dict."
        )
    for key in ("model_ema", "model", "state_dict", "head"):
        if isinstance(content.get(key), Mapping):
            return _plain(content[key], where), content
    return _plain(content, where), {}


def _plain(state: Mapping[str, Any], where: str) -> dict[str, Tensor]:
    weights = {
        re.sub(r"^(_orig_mod\.|module\.)+", "", str(k)): v
        for k, v in state.items()
        if isinstance(v, Tensor)
    }
    if not weights:
        raise CheckpointError(f"{where}: holds no weights (keys: {list(state)[:5]}).")
    return weights


def _rename(weights: Weights, names: list[tuple[str, str]], part: str) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, value in weights.items():
        for pattern, ours in names:
            new, n_changed = re.subn(f"^{pattern}", ours, key)
            if n_changed:
                renamed[new] = value.float()
                break
        else:
            if not key.startswith(_UNUSED):
                raise CheckpointError(
                    f"{part}: the weight {key} {tuple(value.shape)} has no place in the model. "
                    "Is this a file of another part of the release?"
                )
    return renamed


def _fuse_qkv(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    fused = {k: v for k, v in weights.items() if not re.search(r"\.attn\.[qkv]\.", k)}
    for key in weights:
        if ".attn.q." in key:
            parts = [
                _get(weights, key.replace(".attn.q.", f".attn.{p}."), "tokenizer")
                for p in "qkv"
            ]
            fused[key.replace(".attn.q.", ".attn.qkv.")] = torch.cat(parts)
    return fused


def _get(weights: Weights, name: str, part: str) -> Tensor:
    if name not in weights:
        raise CheckpointError(f"{part}: the weight for {name} is missing.")
    return weights[name]


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = settings.get(name)
    if not isinstance(section, Mapping):
        raise CheckpointError(f"config: the section {name!r} is missing.")
    return section


def _setting(section: Mapping[str, Any], key: str, name: str) -> Any:
    if key not in section:
        raise CheckpointError(f"config: {key} is missing in section {name!r}.")
    return section[key]
