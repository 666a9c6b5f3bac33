"""Small tokenizers that differ in one thing each, trained in the same loop.

What the ablation of the loss and the comparison of sizes are made of.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from held_out import is_held_out
from tokenizer_scoring import (
    TRAINING_SHARE,
    Animal,
    BigramCounts,
    code_use,
    score,
    tokenizer_method,
)
from tokenizer_terms import (
    Bigram,
    CodebookError,
    Contrast,
    FutureTokens,
    GradientQuantizer,
    LatentVariation,
    Orthogonality,
    Smoothness,
    Stickiness,
)
from torch import nn

from napari_calm.core.atomic import replacing
from napari_calm.core.progress import run
from napari_calm.model.config import PreprocessingConfig, TokenizerConfig
from napari_calm.model.tokenizer import Tokenizer
from napari_calm.train.config import (
    DataConfig,
    DynamicsTrainingConfig,
    OptimiserConfig,
    PretrainConfig,
    TokenizerTrainingConfig,
)
from napari_calm.train.data import WindowSampler
from napari_calm.train.tokenizer_training import train_tokenizer_steps

PREPROCESSING = PreprocessingConfig(frame_rate_range_hz=(1.3, 6.2))
BLOCKS_SCORED = 8


@dataclass(frozen=True)
class Variant:
    """One trained tokenizer: our loss, or what differs from it.

    `weights` are settings of `TokenizerTrainingConfig`, `further` makes a further term of
    the tokenizer's configuration.
    """

    name: str
    n_codes: int = 128
    frames: int = 4
    weights: dict[str, float] = field(default_factory=dict)
    further: Callable[[TokenizerConfig], nn.Module] | None = None
    codebook_by_gradient: bool = False
    start_from_kmeans: bool = True
    revive: bool = True

    @property
    def tokenizer(self) -> TokenizerConfig:
        """Its small network."""
        return TokenizerConfig(
            width=64, n_codes=self.n_codes, n_encoder_blocks=2, n_decoder_blocks=2,
            window=self.frames, stride=self.frames, dropout=0.0,
        )  # fmt: skip

    def training(self, steps: int, seed: int) -> PretrainConfig:
        """Its training."""
        return PretrainConfig(
            name=self.name,
            data=DataConfig(folder="."),  # the sampler is given; nothing is read from here
            tokenizer=self.tokenizer,
            preprocessing=PREPROCESSING,
            tokenizer_training=TokenizerTrainingConfig(
                OptimiserConfig(steps),
                batch_traces=32,
                plain_steps=max(1, steps // 6),
                revive_every=max(1, steps // 12) if self.revive else steps + 1,
                **self.weights,  # type: ignore[arg-type]
            ),
            dynamics_training=DynamicsTrainingConfig(OptimiserConfig(1)),
            seed=seed,
            validate_every=steps,
            save_every=max(1, steps // 4),
        )


OURS = Variant("our loss")
PLAIN = {"pearson": 0.0, "commitment": 0.0, "usage_entropy": 0.0}
_DEFAULTS = asdict(TokenizerTrainingConfig(OptimiserConfig(1000)))
_TITLES = {"pearson": "Pearson", "commitment": "commitment", "usage_entropy": "usage entropy"}
ABLATION = (
    OURS,
    Variant("squared error only", weights=PLAIN),
    *(
        Variant(f"squared error + {title}", weights=PLAIN | {name: _DEFAULTS[name]})
        for name, title in _TITLES.items()
    ),
    *(Variant(f"ours - {title}", weights={name: 0.0}) for name, title in _TITLES.items()),
    Variant("ours + latent TV, TV2", further=lambda _: LatentVariation()),
    Variant("ours + sticky, JS", further=lambda _: Stickiness()),
    Variant("ours + second difference, FFT", further=lambda _: Smoothness()),
    Variant("ours + bigram CE, align", further=lambda c: Bigram(c.n_codes)),
    Variant(
        "ours + bigram through the encoder",
        further=lambda c: Bigram(c.n_codes, reaches_encoder=True),
    ),
    Variant(
        "ours + 4-step prediction",
        further=lambda c: FutureTokens(c.n_codes, c.width, c.n_heads),
    ),
    Variant("ours + CPC", further=lambda c: Contrast(c.width)),
    Variant(
        "codebook by gradient, not EMA",
        further=lambda _: CodebookError(),
        codebook_by_gradient=True,
    ),
    Variant(
        "codebook by gradient + orthogonality",
        further=lambda _: Orthogonality(),
        codebook_by_gradient=True,
    ),
    Variant("ours - k-means start", start_from_kmeans=False),
    Variant("ours - dead-code revival", revive=False),
    Variant("ours - k-means start - dead-code revival", start_from_kmeans=False, revive=False),
)
SIZES = (
    OURS,
    *(Variant(f"{n} codes of 4 frames", n_codes=n) for n in (64, 256, 512, 1024)),
    *(Variant(f"128 codes of {frames} frames", frames=frames) for frames in (2, 8)),
)


def train_all(
    variants: Sequence[Variant], animals: Sequence[Animal], steps: int, seed: int, kept: Path
) -> list[dict[str, object]]:
    """Train and score all variants; those found in the folder `kept` are taken from there."""
    held_in = [a for a in animals if not is_held_out(a.species, a.number)]
    held_out = [a for a in animals if is_held_out(a.species, a.number)]
    sampler = WindowSampler([a.recording for a in held_in], PREPROCESSING, 1 - TRAINING_SHARE)
    results = []
    for number, variant in enumerate(variants, start=1):
        slug = "".join(c if c.isalnum() else "-" for c in variant.name)
        file, state_file = kept / f"{slug}.json", kept / f"{slug}.pt"
        if not file.exists():
            print(f"{number} of {len(variants)}: {variant.name} ...", flush=True)
            config = variant.training(steps, seed)
            start = time.perf_counter()
            tokenizer = trained(variant, config, sampler, state_file)
            seconds = time.perf_counter() - start
            result = scored(tokenizer, held_in, held_out)
            result |= {"variant": variant.name, "seconds": seconds}
            with replacing(file) as partial:
                partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
            state_file.unlink(missing_ok=True)
        results.append(json.loads(file.read_text(encoding="utf-8")))
    return results


def trained(
    variant: Variant, config: PretrainConfig, sampler: WindowSampler, state_file: Path
) -> Tokenizer:
    """Train a variant's tokenizer; continues from `state_file` where it exists."""
    network = variant.tokenizer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        tokenizer = Tokenizer(network)
        if variant.codebook_by_gradient:
            tokenizer.quantizer = GradientQuantizer(network.n_codes, network.width)
        further = variant.further(network) if variant.further else None
    if further is not None:
        # Inside the tokenizer, so that a term's own weights are trained and kept with it.
        tokenizer.add_module("further_terms", further)
    run(
        train_tokenizer_steps(
            tokenizer,
            sampler,
            config,
            state_file,
            further_terms=further,
            start_from_kmeans=variant.start_from_kmeans,
        )
    )
    return tokenizer


def scored(
    tokenizer: Tokenizer, held_in: Sequence[Animal], held_out: Sequence[Animal]
) -> dict[str, object]:
    """Score a tokenizer on the held-out animals; bigrams are counted on the others."""
    n_codes, stride = tokenizer.config.n_codes, tokenizer.config.stride
    method = tokenizer_method(tokenizer)
    result, tokens = score(method, held_out, PREPROCESSING, stride, most_blocks=BLOCKS_SCORED)
    _, counted = score(method, held_in, PREPROCESSING, stride, most_blocks=BLOCKS_SCORED)
    result |= code_use(tokens, n_codes)
    return result | {
        "n_codes": n_codes,
        "frames": stride,
        "bits_per_frame": math.log2(n_codes) / stride,
        "bigram_nats": BigramCounts(counted, n_codes).nats(tokens),
    }
