"""The model as users meet it: tokenizer, dynamics, and what they say of a recording."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.forecast import Forecast
from ..core.progress import Steps, run
from ..core.recording import Recording
from ..core.representation import Representation
from ..core.token_map import TokenMap
from ..preprocess.resample import model_rate_hz
from .adaptation import Adaptation
from .behaviour import BehaviourHead
from .config import (
    CalmConfig,
    DynamicsConfig,
    ForecastHeadConfig,
    PreprocessingConfig,
    TokenizerConfig,
)
from .dynamics import Dynamics
from .forecast_head import ForecastHead
from .forecasting import Expectation, forecast_steps
from .representing import represent_steps
from .tokenising import tokenize_steps
from .tokenizer import Tokenizer

SAMPLES_WITHOUT_HEAD = 16


class CalmModel(nn.Module):
    """CalM: a tokenizer, a dual-axis transformer and, optionally, a behaviour head.

    Get one from `load_model`, `import_release` or training.

    Examples
    --------
    >>> import numpy as np
    >>> model = CalmModel.random(seed=0)
    >>> rng = np.random.default_rng(0)
    >>> recording = Recording(rng.normal(size=(5, 200)), frame_rate_hz=6.0)
    >>> forecast = model.forecast(recording, start_frame=100, horizon_frames=12, samples=4)
    >>> forecast.samples.shape
    (4, 5, 12)
    """

    def __init__(self, config: CalmConfig) -> None:
        super().__init__()
        self.config = config
        # What was fitted to one recording, where this is an adapted copy of a model.
        self.adaptation: Adaptation | None = None
        self.tokenizer = Tokenizer(config.tokenizer)
        self.dynamics = Dynamics(config.dynamics)
        self.behaviour = (
            BehaviourHead(config.behaviour, config.dynamics.n_neurons, config.dynamics.width)
            if config.behaviour
            else None
        )
        self.forecast_head = (
            ForecastHead(config.forecast_head, config.dynamics.width)
            if config.forecast_head
            else None
        )

    @classmethod
    def random(cls, seed: int = 0, *, head: bool = False, **preprocessing: Any) -> "CalmModel":
        """Return a tiny model with random weights: for tests and for trying the interface."""
        config = CalmConfig(
            name="random",
            description="Random weights; its forecasts mean nothing.",
            tokenizer=TokenizerConfig(
                width=16, n_codes=32, n_heads=2, n_encoder_blocks=1, n_decoder_blocks=1
            ),
            dynamics=DynamicsConfig(width=16, n_codes=32, n_layers=2, n_heads=2, mlp_width=32),
            forecast_head=ForecastHeadConfig(horizon_frames=16, n_heads=2) if head else None,
            preprocessing=PreprocessingConfig(
                **({"frame_rate_range_hz": (4.0, 12.0)} | preprocessing)
            ),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = cls(config)
            # Codes as far apart as latents are, so that different traces get different tokens.
            latents = model.tokenizer.encode(torch.randn(64, 64)).detach().flatten(0, 1)
            pick = torch.randperm(len(latents))[: config.tokenizer.n_codes]
            model.tokenizer.quantizer.codebook.copy_(latents[pick])
        return model.eval()

    @property
    def name(self) -> str:
        """Name of the checkpoint."""
        return self.config.name

    @property
    def title(self) -> str:
        """Name, and what the model was adapted to: what results are labelled with."""
        if self.adaptation is None:
            return self.name
        to = self.adaptation.recording_name
        if not self.adaptation.helped:
            return f"{self.name} (zero-shot; adapting to {to} did not help)"
        return f"{self.name} (adapted to {to})"

    @property
    def samples_needed(self) -> int:
        """Draws that mean and bands take: none with a forecast head."""
        return 0 if self.forecast_head is not None else SAMPLES_WITHOUT_HEAD

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.dynamics.token_embed.weight.device

    def save(self, folder: str | Path, *, card: str = "") -> Path:
        """Write the checkpoint folder that `load_model` reads; see `save_model`."""
        # A checkpoint knows what a model is; at import time not the other way round.
        from .checkpoint import save_model

        return save_model(self, folder, card=card)

    def model_rate_hz(self, frame_rate_hz: float) -> float:
        """Rate at which a recording of `frame_rate_hz` is shown to the networks."""
        return model_rate_hz(frame_rate_hz, self.config.preprocessing.frame_rate_range_hz)

    def context_frames_of(self, frame_rate_hz: float) -> int:
        """Frames of a recording that one context needs: the earliest start of a forecast."""
        factor = frame_rate_hz / self.model_rate_hz(frame_rate_hz)
        return math.ceil(self.config.preprocessing.context_frames * factor - 1e-6)

    def tokenize_steps(self, recording: Recording) -> Steps[TokenMap]:
        """`tokenize` as a generator of progress."""
        return tokenize_steps(self, recording)

    def tokenize(self, recording: Recording) -> TokenMap:
        """Tokens of every neuron over the whole recording.

        Each block of tokens is spoken relative to the context before it, as in a forecast,
        so a token depends on no frame after its own, except in the first context, which is
        relative to itself.

        Raises
        ------
        RecordingError
            If the recording is shorter than one context.
        """
        return run(self.tokenize_steps(recording))

    def represent_steps(
        self,
        recording: Recording,
        *,
        neuron_ids: np.ndarray | None = None,
        session_id: int | None = None,
        seed: int = 0,
    ) -> Steps[Representation]:
        """`represent` as a generator of progress."""
        return represent_steps(
            self, recording, neuron_ids=neuron_ids, session_id=session_id, seed=seed
        )

    def represent(
        self,
        recording: Recording,
        *,
        neuron_ids: np.ndarray | None = None,
        session_id: int | None = None,
        seed: int = 0,
    ) -> Representation:
        """Hidden states of every neuron over the whole recording.

        Read block by block as in `tokenize`: a state depends on no frame after its own
        token, except in the first context.

        Parameters
        ----------
        neuron_ids, session_id : optional
            As for `forecast`; an adapted model uses the rows fitted to the recording.
        seed : int
            Deals populations larger than `max_neurons` into groups.

        Raises
        ------
        RecordingError
            If the recording is shorter than one context.
        CalmError
            If the ids are impossible.
        """
        return run(
            self.represent_steps(
                recording, neuron_ids=neuron_ids, session_id=session_id, seed=seed
            )
        )

    def forecast_steps(
        self,
        recording: Recording,
        *,
        start_frame: int,
        horizon_frames: int,
        samples: int = 16,
        seed: int = 0,
        expectation: Expectation = "auto",
        statistics_until: int | None = None,
        neuron_ids: np.ndarray | None = None,
        session_id: int | None = None,
    ) -> Steps[Forecast]:
        """`forecast` as a generator of progress."""
        return forecast_steps(
            self,
            recording,
            start_frame=start_frame,
            horizon_frames=horizon_frames,
            samples=samples,
            seed=seed,
            expectation=expectation,
            statistics_until=statistics_until,
            neuron_ids=neuron_ids,
            session_id=session_id,
        )

    def forecast(
        self,
        recording: Recording,
        *,
        start_frame: int,
        horizon_frames: int,
        samples: int = 16,
        seed: int = 0,
        expectation: Expectation = "auto",
        statistics_until: int | None = None,
        neuron_ids: np.ndarray | None = None,
        session_id: int | None = None,
    ) -> Forecast:
        """What the model expects of the frames from `start_frame` on.

        Nothing from `start_frame` on is looked at; `start_frame` may be the end of the
        recording.

        Parameters
        ----------
        recording : Recording
            Any recording; nothing is fitted to it.
        start_frame : int
            First forecast frame, at least one context (`context_frames_of`) and at most
            the number of frames.
        horizon_frames : int
            Frames to forecast, on the recording's time base.
        samples : int
            Joint trajectories drawn. Without a forecast head, mean and quantiles are theirs,
            and 0 takes the most likely token at every step instead (one trajectory, no
            uncertainty). With one, each sample is given the head's distribution at every
            frame, and 0 draws none, which is fast.
        seed : int
            Seed of the draws.
        expectation : {"auto", "direct", "samples"}
            Where mean and quantiles come from: the checkpoint's forecast head, which reads
            all horizons at once, or the samples. "auto" takes the head where there is one.
            Beyond the head's horizon the samples carry on.
        statistics_until : int, optional
            Only frames before this one may tell how a neuron usually is (scale, portrait);
            all before the start if not given. The context itself is always seen.
        neuron_ids : numpy.ndarray of int, (neurons,), optional
            Fitted embedding rows, where the checkpoint has rows for these very neurons.
        session_id : int, optional
            Likewise for the session.

        Raises
        ------
        RecordingError
            If the recording is shorter than one context or the start lies outside it.
        CalmError
            If horizon, samples or ids are impossible.
        """
        return run(
            self.forecast_steps(
                recording,
                start_frame=start_frame,
                horizon_frames=horizon_frames,
                samples=samples,
                seed=seed,
                expectation=expectation,
                statistics_until=statistics_until,
                neuron_ids=neuron_ids,
                session_id=session_id,
            )
        )
