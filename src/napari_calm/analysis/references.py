"""Forecasters fitted on the training part of one recording: the bar a model has to clear.

Each is made from the normalised traces of the training part and then forecasts all neurons
from the frames before a start. All are fitted on the same windows, context and horizon frame
by frame through the training part.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from ..core.errors import CalmError

Centre = Literal["training", "context"]
PENALTIES = tuple(10.0 ** (half_decades / 2) for half_decades in range(13))
COMPONENTS = (2, 4, 8, 16, 32)
VALIDATION_SHARE = 0.2


class Reference(ABC):
    """A forecaster fitted on the training part of one recording.

    1. Every window of context and horizon inside the training part is taken.
    2. Its centre is taken off: the neuron's mean over the training part or over the context.
    3. A map from the newest `lags` frames of the context to the horizon is fitted.
    4. A forecast takes the centre off its context, applies the map, and adds it back.

    Parameters
    ----------
    training : numpy.ndarray, (neurons, frames)
        Normalised traces; nothing else is ever fitted.
    context_frames, horizon_frames : int
        Length of the two parts of a window.
    centre : {"training", "context"}
        ``"context"`` makes the forecast follow slow drift: adding a constant to a neuron
        adds it to its forecast.

    Attributes
    ----------
    residual_sd : numpy.ndarray, (neurons, horizon_frames)
        Root mean squared error over the training windows.

    Raises
    ------
    CalmError
        If the training part holds too few windows.
    """

    lags: ClassVar[int] = 1

    def __init__(
        self,
        training: np.ndarray,
        *,
        context_frames: int = 48,
        horizon_frames: int = 16,
        centre: Centre = "training",
    ) -> None:
        length = context_frames + horizon_frames
        n_windows = training.shape[1] - length + 1
        fewest = round(1.5 * horizon_frames) + 10
        if n_windows < fewest or context_frames < self.lags:
            raise CalmError(
                f"reference: {training.shape[1]} training frames hold {max(n_windows, 0)} "
                f"windows of {context_frames} + {horizon_frames} frames; expected at least "
                f"{fewest} windows and a context of at least {self.lags}. Use a longer "
                "recording or a shorter horizon."
            )
        self.context_frames, self.horizon_frames = context_frames, horizon_frames
        self._mean: np.ndarray | None = (
            training.mean(axis=1, keepdims=True) if centre == "training" else None
        )
        windows = np.lib.stride_tricks.sliding_window_view(training, length, axis=1)
        windows = windows.swapaxes(0, 1)
        contexts, futures = windows[..., :context_frames], windows[..., context_frames:]
        middle = self._centre(contexts)
        self._fit(contexts[..., -self.lags :] - middle, futures - middle)
        residuals = self.forecast(contexts) - futures
        self.residual_sd: np.ndarray = np.sqrt((residuals**2).mean(axis=0))

    def forecast(self, context: np.ndarray) -> np.ndarray:
        """Forecast the frames after a context.

        Parameters
        ----------
        context : numpy.ndarray, (..., neurons, context_frames)
            One window or several.

        Returns
        -------
        numpy.ndarray, (..., neurons, horizon_frames)
        """
        middle = self._centre(context)
        forecast: np.ndarray = self._continue(context[..., -self.lags :] - middle) + middle
        return forecast

    def _centre(self, context: np.ndarray) -> np.ndarray:
        if self._mean is not None:
            return self._mean
        centre: np.ndarray = context.mean(axis=-1, keepdims=True)
        return centre

    @abstractmethod
    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        """Fit on centred windows (windows, neurons, lags) and (windows, neurons, horizon)."""

    @abstractmethod
    def _continue(self, recent: np.ndarray) -> np.ndarray:
        """Map centred frames (..., neurons, lags) to (..., neurons, horizon)."""


class Mean(Reference):
    """The neuron's mean over the training part, or over the context."""

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        pass

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        return np.zeros((*recent.shape[:-1], self.horizon_frames), recent.dtype)


class CopyLast(Reference):
    """The last frame, repeated."""

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        pass

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        return np.repeat(recent, self.horizon_frames, axis=-1)


class Autoregression(Reference):
    """The last frame times one coefficient a neuron and horizon, by least squares."""

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        power = np.maximum((recent**2).sum(axis=0), 1e-12)
        self._coefficients = (recent * future).sum(axis=0) / power

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        forecast: np.ndarray = recent * self._coefficients
        return forecast


class PooledLinear(Reference):
    """One linear map from a neuron's last 16 frames to its horizon, shared by all neurons.

    As NLinear (Zeng et al., AAAI 2023) with the window's level taken off first. The many
    windows need next to no penalty.
    """

    lags = 16

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        rows = recent.reshape(-1, self.lags), future.reshape(-1, self.horizon_frames)
        self._map = Ridge(alpha=1.0).fit(*rows)

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        forecast: np.ndarray = self._map.predict(recent.reshape(-1, self.lags))
        return forecast.reshape(*recent.shape[:-1], self.horizon_frames)


class PopulationRidge(Reference):
    """A ridge regression from the last 4 frames of all neurons to all neurons and horizons.

    The penalty is the one that forecasts the last fifth of the training windows best, when
    fitted on those before it that share no frame to be forecast.
    """

    lags = 4

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        search = GridSearchCV(
            Ridge(),
            {"alpha": PENALTIES},
            scoring="neg_mean_squared_error",
            cv=[inner_split(len(recent), self.horizon_frames)],
        )
        search.fit(recent.reshape(len(recent), -1), future.reshape(len(future), -1))
        self.penalty: float = search.best_params_["alpha"]
        self._map = search.best_estimator_

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        *windows, n_neurons, _ = recent.shape
        forecast: np.ndarray = self._map.predict(recent.reshape(-1, n_neurons * self.lags))
        return forecast.reshape(*windows, n_neurons, self.horizon_frames)


class PcaVar(Reference):
    """Principal components of the population, continued by an autoregression of order 4.

    One ridge regression leads from the last 4 frames of the scores to the next one and is
    applied to its own output through the horizon. Number of components and penalty are
    chosen as the population ridge's penalty is, by the error of the whole horizon.
    """

    lags = 4

    def _fit(self, recent: np.ndarray, future: np.ndarray) -> None:
        train, valid = inner_split(len(recent), self.horizon_frames)
        valid = valid[::4]  # neighbouring windows share nearly all of their frames
        errors = {}
        for components in sorted({min(n, recent.shape[1]) for n in COMPONENTS}):
            self._fit_components(recent[train], components)
            for penalty in PENALTIES:
                self._fit_var(recent[train], future[train], penalty)
                error = self._continue(recent[valid]) - future[valid]
                errors[components, penalty] = float((error**2).mean())
        self.components, self.penalty = min(errors, key=errors.__getitem__)
        self._fit_components(recent, self.components)
        self._fit_var(recent, future, self.penalty)

    def _fit_components(self, recent: np.ndarray, components: int) -> None:
        self._pca = PCA(components, random_state=0).fit(recent[..., -1])

    def _fit_var(self, recent: np.ndarray, future: np.ndarray, penalty: float) -> None:
        following = self._pca.transform(future[..., 0])
        self._var = Ridge(alpha=penalty).fit(self._scores(recent), following)

    def _scores(self, recent: np.ndarray) -> np.ndarray:
        """Scores of the last frames (windows, neurons, lags), (windows, lags * components)."""
        frames = recent.swapaxes(1, 2)
        scores: np.ndarray = self._pca.transform(frames.reshape(-1, frames.shape[-1]))
        return scores.reshape(len(recent), -1)

    def _continue(self, recent: np.ndarray) -> np.ndarray:
        shape = recent.shape[:-1]
        scores = self._scores(recent.reshape(-1, *recent.shape[-2:]))
        forecast = np.empty((*scores.shape[:1], shape[-1], self.horizon_frames), scores.dtype)
        for frame in range(self.horizon_frames):
            following = self._var.predict(scores)
            forecast[..., frame] = self._pca.inverse_transform(following)
            scores = np.hstack([scores[:, following.shape[1] :], following])
        return forecast.reshape(*shape, self.horizon_frames)


REFERENCES: dict[str, type[Reference]] = {
    "mean": Mean,
    "copy last": CopyLast,
    "AR": Autoregression,
    "pooled linear": PooledLinear,
    "population ridge": PopulationRidge,
    "PCA-VAR": PcaVar,
}


def inner_split(n_windows: int, gap_windows: int) -> tuple[np.ndarray, np.ndarray]:
    """Split successive windows into a fitting and a later validation block.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Indices of the fitting windows and of the last fifth, with `gap_windows` left out
        between the two.

    Examples
    --------
    >>> train, valid = inner_split(20, 4)
    >>> train[-1], valid[0], valid[-1]
    (np.int64(11), np.int64(16), np.int64(19))
    """
    first_valid = n_windows - max(1, round(VALIDATION_SHARE * n_windows))
    train = np.arange(max(1, first_valid - gap_windows))
    return train, np.arange(first_valid, n_windows)
