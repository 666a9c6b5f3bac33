"""One file that says all about a training: data, networks, steps, seed."""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..model.checkpoint import available_models
from ..model.config import (
    CalmConfig,
    DynamicsConfig,
    ForecastHeadConfig,
    PreprocessingConfig,
    TokenizerConfig,
    at_least,
    build_section,
)


@dataclass(frozen=True)
class DataConfig:
    """Where the training recordings come from: a folder, simulated ones, or both.

    With neither, recordings are given to `pretrain` directly.

    Parameters
    ----------
    folder : str, optional
        Folder whose entries are recordings (npz traces, suite2p folders); relative to the
        configuration file.
    simulated : tuple of dict
        Y-maze sessions; each one the arguments of `simulate.session.simulate_cohort`.
    populations : tuple of dict
        Populations of many kinds; the arguments of `simulate.populations.simulate_populations`.
    validation_share : float
        Last share of every recording that gives nothing to training.
    """

    folder: str | None = None
    simulated: tuple[dict[str, Any], ...] = ()
    populations: tuple[dict[str, Any], ...] = ()
    validation_share: float = 0.15

    def __post_init__(self) -> None:
        object.__setattr__(self, "simulated", tuple(self.simulated))
        object.__setattr__(self, "populations", tuple(self.populations))
        if not 0 < self.validation_share < 0.5:
            raise ConfigError(
                f"data: validation_share is {self.validation_share}; expected 0 to 0.5."
            )


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with linear warm-up, cosine decay and gradient clipping.

    `average_decay` is that of the moving average of the weights, which is validated and
    kept (0: none). After `patience` validations without a better one the training stops (0:
    never); the weights of the best validation are kept.
    """

    steps: int
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-6
    warmup_share: float = 0.06
    weight_decay: float = 1e-3
    clip_norm: float = 1.0
    average_decay: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or self.clip_norm <= 0:
            raise ConfigError(
                f"optimiser: steps ({self.steps}), learning_rate ({self.learning_rate}) and "
                f"clip_norm ({self.clip_norm}) must be above 0."
            )
        at_least(
            self,
            "optimiser",
            final_learning_rate=0,
            warmup_share=0,
            weight_decay=0,
            average_decay=0,
            patience=0,
        )
        for name in ("warmup_share", "average_decay"):
            if getattr(self, name) >= 1:
                raise ConfigError(
                    f"optimiser: {name} is {getattr(self, name)}; expected below 1."
                )


@dataclass(frozen=True)
class AdaptConfig:
    """How a model is adapted.

    Parameters
    ----------
    optimiser : OptimiserConfig
        Of the rows and of the head.
    batch_populations, population : int
        Windows a step, and neurons in each.
    head_positions : int
        Tokens of a window after which the head is fitted.
    validation_share : float
        Last share of the known frames: it stops the fit and decides whether it is kept.
    """

    optimiser: OptimiserConfig = field(
        default_factory=lambda: OptimiserConfig(
            steps=240,
            learning_rate=1e-3,
            weight_decay=1e-2,
            average_decay=0.95,
            patience=5,
        )
    )
    batch_populations: int = 4
    population: int = 64
    head_positions: int = 4
    validation_share: float = 0.2


@dataclass(frozen=True)
class TokenizerTrainingConfig:
    """Training of the tokenizer.

    `batch_traces` windows of single neurons a step, from several recordings. During the
    first `plain_steps` nothing is quantised; then the codebook starts from k-means. Codes
    used less than `dead_share` of the mean are moved to live latents every `revive_every`
    steps. The three weights belong to the loss terms of their names.
    """

    optimiser: OptimiserConfig
    batch_traces: int = 256
    plain_steps: int = 100
    revive_every: int = 50
    dead_share: float = 0.2
    pearson: float = 0.5
    commitment: float = 0.5
    usage_entropy: float = 0.05

    def __post_init__(self) -> None:
        at_least(
            self, "tokenizer_training", batch_traces=1, plain_steps=0, revive_every=1,
            dead_share=0, pearson=0, commitment=0, usage_entropy=0,
        )  # fmt: skip
        if self.plain_steps >= self.optimiser.steps:
            raise ConfigError(
                f"tokenizer_training: plain_steps is {self.plain_steps} of "
                f"{self.optimiser.steps} steps; the codebook would never be trained."
            )


@dataclass(frozen=True)
class DynamicsTrainingConfig:
    """Training of the dynamics, and of the forecast head with them where there is one.

    `batch_populations` windows a step, each of up to `population` neurons of one recording.
    A token is replaced with probability `token_noise` by one of its `noise_neighbours`
    nearest codes. The head is trained after `head_positions` tokens of each window, the end
    of the context always among them; `next_token` weighs the loss of the next token beside
    that of the head. With probability `frames_dropout` a step is made on tokens alone where
    the model takes frames beside them. `row_dropout` is the probability that a window is
    shown with the shared unknown rows instead of its own neurons' and session's; 1 trains the
    unknown rows only, and below 1 the checkpoint keeps a row for each training neuron.
    """

    optimiser: OptimiserConfig
    batch_populations: int = 4
    population: int = 64
    head_positions: int = 6
    next_token: float = 0.2
    frames_dropout: float = 0.25
    row_dropout: float = 1.0
    token_noise: float = 0.1
    noise_neighbours: int = 12

    def __post_init__(self) -> None:
        at_least(
            self, "dynamics_training", batch_populations=1, population=1, token_noise=0,
            noise_neighbours=1, head_positions=1, next_token=0, frames_dropout=0,
            row_dropout=0,
        )  # fmt: skip


@dataclass(frozen=True)
class PretrainConfig:
    """A whole training.

    `start_from` names a bundled model, or a checkpoint folder (relative to the configuration
    file), whose weights the training starts from; its networks must be those of this
    configuration. Embedding rows of its recordings are not taken over.
    """

    name: str
    data: DataConfig
    tokenizer_training: TokenizerTrainingConfig
    dynamics_training: DynamicsTrainingConfig
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    forecast_head: ForecastHeadConfig | None = None
    description: str = ""
    start_from: str = ""
    seed: int = 0
    validate_every: int = 100
    save_every: int = 100

    def __post_init__(self) -> None:
        at_least(self, "training", seed=0, validate_every=1, save_every=1)

    @property
    def model(self) -> CalmConfig:
        """The configuration of the model that comes out."""
        return CalmConfig(
            name=self.name,
            tokenizer=self.tokenizer,
            dynamics=self.dynamics,
            preprocessing=self.preprocessing,
            forecast_head=self.forecast_head,
            description=self.description,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values."""
        return asdict(self)


def read_pretrain_config(path: str | Path) -> PretrainConfig:
    """Read a training configuration from a TOML file.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, or a setting is unknown or impossible.
    """
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error}).") from error
    try:
        config = pretrain_config(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if config.data.folder is not None:
        values["data"]["folder"] = str(path.parent / config.data.folder)
    if config.start_from and config.start_from not in available_models():
        values["start_from"] = str(path.parent / config.start_from)
    return pretrain_config(values)


def pretrain_config(values: dict[str, Any]) -> PretrainConfig:
    """Make a training configuration of plain values, checking every name."""
    values = dict(values)
    for name, section in (
        ("tokenizer_training", TokenizerTrainingConfig),
        ("dynamics_training", DynamicsTrainingConfig),
    ):
        part = dict(values.get(name) or {})
        part["optimiser"] = build_section(
            OptimiserConfig, part.get("optimiser"), f"{name}.optimiser"
        )
        values[name] = build_section(section, part, name)
    parts: tuple[tuple[str, type], ...] = (
        ("data", DataConfig),
        ("tokenizer", TokenizerConfig),
        ("dynamics", DynamicsConfig),
        ("preprocessing", PreprocessingConfig),
        ("forecast_head", ForecastHeadConfig),
    )
    for name, part_type in parts:
        if values.get(name) is not None:
            values[name] = build_section(part_type, values[name], name)
    config = build_section(PretrainConfig, values, "training")
    _ = config.model  # its own checks
    return config
