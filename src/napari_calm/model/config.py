"""What defines a CalM model besides its weights."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from ..core.errors import ConfigError

Section = TypeVar("Section")


@dataclass(frozen=True)
class TokenizerConfig:
    """The neural quantizer (paper's release: section sizes of its mouse configuration).

    `window` and `stride` are in frames: one token covers `window` frames and starts
    `stride` frames after the one before. `latent_memory` is the weight of the previous
    latent in the smoothing along tokens. `look_ahead_tokens` later tokens are seen by the
    first encoder layer (0: strictly causal).
    """

    width: int = 512
    n_codes: int = 128
    n_heads: int = 4
    n_encoder_blocks: int = 4
    n_decoder_blocks: int = 4
    window: int = 4
    stride: int = 4
    look_ahead_tokens: int = 0
    encoder_causal: bool = True
    decoder_causal: bool = True
    latent_memory: float = 0.1
    dropout: float = 0.2

    def __post_init__(self) -> None:
        _check_heads("tokenizer", self.width, self.n_heads)
        at_least(
            self, "tokenizer", n_codes=2, n_encoder_blocks=0, n_decoder_blocks=0,
            look_ahead_tokens=0, latent_memory=0, dropout=0,
        )  # fmt: skip
        if self.latent_memory >= 1 or self.dropout >= 1:
            raise ConfigError(
                f"tokenizer: latent_memory ({self.latent_memory}) and dropout ({self.dropout}) "
                "must be below 1."
            )
        if self.window % 2 or self.stride % 2 or not 2 <= self.stride <= self.window:
            raise ConfigError(
                f"tokenizer: window {self.window} and stride {self.stride} must be even, with "
                "2 <= stride <= window."
            )


@dataclass(frozen=True)
class DynamicsConfig:
    """The dual-axis transformer.

    `n_neurons` and `n_sessions` count the fitted embedding rows; recordings without a row
    use the shared unknown rows. `max_neurons` is the largest population seen at once.
    `frame_inputs` frames of each token, as they are, are added to its vector where they are
    known: what quantising takes away (0: tokens alone, as in the release).
    """

    width: int = 512
    n_codes: int = 128
    n_layers: int = 6
    n_heads: int = 8
    mlp_width: int = 2048
    n_neurons: int = 0
    n_sessions: int = 0
    max_neurons: int = 512
    time_embedding_rows: int = 0
    frame_inputs: int = 0
    dropout: float = 0.15
    embedding_dropout: float = 0.15
    attention_dropout: float = 0.15

    def __post_init__(self) -> None:
        _check_heads("dynamics", self.width, self.n_heads)
        at_least(
            self, "dynamics", n_codes=2, n_layers=1, mlp_width=1, n_neurons=0, n_sessions=0,
            max_neurons=1, time_embedding_rows=0, frame_inputs=0, dropout=0,
            embedding_dropout=0, attention_dropout=0,
        )  # fmt: skip
        if max(self.dropout, self.embedding_dropout, self.attention_dropout) >= 1:
            raise ConfigError("dynamics: dropouts must be below 1.")


@dataclass(frozen=True)
class BehaviourConfig:
    """The low-rank bilinear behaviour head."""

    n_channels: int = 3
    frames_per_token: int = 4
    rank: int = 16
    smoother_taps: int = 9
    dropout: float = 0.5

    def __post_init__(self) -> None:
        at_least(
            self, "behaviour", n_channels=1, frames_per_token=1, rank=1, smoother_taps=1,
            dropout=0,
        )  # fmt: skip


@dataclass(frozen=True)
class ForecastHeadConfig:
    """The head that reads mean and quantiles of all horizons from the hidden states.

    `recent_frames` before the start reach it as they are; `horizon_frames` are forecast at
    once, at the model's rate.
    """

    horizon_frames: int = 64
    recent_frames: int = 16
    n_heads: int = 4
    dropout: float = 0.15

    def __post_init__(self) -> None:
        at_least(self, "forecast_head", horizon_frames=1, recent_frames=1, n_heads=1, dropout=0)
        if self.dropout >= 1:
            raise ConfigError("forecast_head: dropout must be below 1.")


@dataclass(frozen=True)
class PreprocessingConfig:
    """How traces reach the tokenizer.

    Parameters
    ----------
    frame_rate_range_hz : (float, float)
        Rates seen in training. A recording inside is left at its own rate.
    smoothing_alpha : float
        Causal smoothing s[t] = alpha x[t] + (1 - alpha) s[t-1]; 1 = none.
    context_frames : int
        Frames before the start that the model looks at.
    max_frames : int
        Longest window (context and horizon) seen in training; longer forecasts continue
        from their own last context.
    centre : {"context", "history"}
        Frames whose mean is taken off: the context window, or all before the start.
    """

    frame_rate_range_hz: tuple[float, float] = (5.0, 7.0)
    smoothing_alpha: float = 1.0
    context_frames: int = 48
    max_frames: int = 128
    centre: Literal["context", "history"] = "context"

    def __post_init__(self) -> None:
        try:
            low, high = map(float, self.frame_rate_range_hz)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"preprocessing: frame_rate_range_hz is {self.frame_rate_range_hz!r}; expected "
                "two rates in Hz."
            ) from error
        object.__setattr__(self, "frame_rate_range_hz", (low, high))
        if not 0 < low <= high:
            raise ConfigError(f"preprocessing: frame_rate_range_hz is {low} to {high} Hz.")
        if not 0 < self.smoothing_alpha <= 1:
            raise ConfigError(
                f"preprocessing: smoothing_alpha is {self.smoothing_alpha}; expected above 0, "
                "at most 1."
            )
        if self.centre not in ("context", "history"):
            raise ConfigError(
                f"preprocessing: centre is {self.centre!r}; expected context or history."
            )
        if not 0 < self.context_frames < self.max_frames:
            raise ConfigError(
                f"preprocessing: context_frames ({self.context_frames}) must be above 0 and "
                f"below max_frames ({self.max_frames})."
            )


@dataclass(frozen=True)
class CalmConfig:
    """A whole model: its parts, its preprocessing, and where it comes from.

    `trained_on` names the real recordings that gave something to its training.
    """

    name: str
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    behaviour: BehaviourConfig | None = None
    forecast_head: ForecastHeadConfig | None = None
    trained_on: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trained_on", tuple(map(str, self.trained_on)))
        if self.tokenizer.n_codes != self.dynamics.n_codes:
            raise ConfigError(
                f"{self.name}: the tokenizer has {self.tokenizer.n_codes} codes, the dynamics "
                f"{self.dynamics.n_codes}; they must be equal."
            )
        if self.dynamics.frame_inputs not in (0, self.tokenizer.stride):
            raise ConfigError(
                f"{self.name}: dynamics.frame_inputs is {self.dynamics.frame_inputs}; expected "
                f"0 or the {self.tokenizer.stride} frames of a token."
            )
        for what in ("context_frames", "max_frames"):
            frames = getattr(self.preprocessing, what)
            if frames % self.tokenizer.stride:
                raise ConfigError(
                    f"{self.name}: {what} ({frames}) must be a multiple of the "
                    f"{self.tokenizer.stride} frames of a token."
                )

        head = self.forecast_head
        if head is not None:
            _check_heads("forecast_head", self.dynamics.width, head.n_heads)
            if head.recent_frames > self.preprocessing.context_frames:
                raise ConfigError(
                    f"{self.name}: forecast_head sees {head.recent_frames} recent frames, more "
                    f"than the {self.preprocessing.context_frames} of the context."
                )

    @property
    def context_tokens(self) -> int:
        """Tokens of the context."""
        return self.preprocessing.context_frames // self.tokenizer.stride

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest window."""
        return self.preprocessing.max_frames // self.tokenizer.stride

    @property
    def n_weights_about(self) -> int:
        """Number of weights but for biases, norms and other small parts; costs no memory."""
        t, d, b = self.tokenizer, self.dynamics, self.behaviour
        blocks = t.n_encoder_blocks + t.n_decoder_blocks
        tokenizer = 12 * blocks * t.width**2 + 2 * t.n_codes * t.width
        rows = d.n_codes + d.n_neurons + d.n_sessions + d.time_embedding_rows
        dynamics = d.n_layers * d.width * (8 * d.width + 2 * d.mlp_width) + rows * d.width
        behaviour = 0
        if b is not None:
            projections = b.frames_per_token * b.rank * (2 * d.width + d.n_neurons)
            behaviour = b.n_channels * (projections + b.smoother_taps)
        head = 0
        if self.forecast_head is not None:
            h, w = self.forecast_head, self.dynamics.width
            head = w * (6 * w + 18 * h.horizon_frames + 120) + 65 * h.horizon_frames * (
                h.recent_frames + 1
            )
        return tokenizer + dynamics + behaviour + head

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "CalmConfig":
        """Read what `to_dict` wrote.

        Raises
        ------
        ConfigError
            If a name is unknown or a value impossible.
        """
        values = dict(values)
        sections: dict[str, type] = {
            "tokenizer": TokenizerConfig,
            "dynamics": DynamicsConfig,
            "preprocessing": PreprocessingConfig,
            "behaviour": BehaviourConfig,
            "forecast_head": ForecastHeadConfig,
        }
        for name, section in sections.items():
            optional = name in ("behaviour", "forecast_head")
            if name in values and not (optional and values[name] is None):
                values[name] = build_section(section, values[name], name)
        return build_section(cls, values, "model")


def build_section(section: type[Section], values: Any, name: str) -> Section:
    """Make a configuration dataclass of a mapping, refusing unknown names and wrong types."""
    if not isinstance(values, dict):
        raise ConfigError(
            f"{name}: found {type(values).__name__}; expected a table of settings."
        )
    known = {f.name for f in fields(section)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{name}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}."
        )
    for each in fields(section):  # type: ignore[arg-type]
        if each.name in values:
            _check_type(f"{name}.{each.name}", values[each.name], each.type)
    try:
        return section(**values)
    except (TypeError, ZeroDivisionError) as error:
        raise ConfigError(f"{name}: {error}.") from error


def at_least(section: object, name: str, **least: float) -> None:
    """Refuse settings of `section` below their least values."""
    for setting, value in least.items():
        if getattr(section, setting) < value:
            found = getattr(section, setting)
            raise ConfigError(f"{name}: {setting} is {found}; expected {value:g} or more.")


def _check_type(name: str, value: Any, expected: Any) -> None:
    """Refuse a value of another type where a setting is a plain number, flag or text."""
    if expected not in (int, float, bool, str):
        return
    fits = (int, float) if expected is float else expected
    # Python counts True as a whole number; a configuration does not.
    is_flag = isinstance(value, bool) and expected is not bool
    if is_flag or not isinstance(value, fits):
        raise ConfigError(f"{name} is {value!r}; expected {expected.__name__}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} is {value}; expected a finite number.")


def _check_heads(name: str, width: int, n_heads: int) -> None:
    if n_heads < 1 or width % n_heads or (width // n_heads) % 2:
        raise ConfigError(
            f"{name}: width {width} does not split into {n_heads} heads of even size."
        )
