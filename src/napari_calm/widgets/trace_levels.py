"""All traces at several resolutions in time, so that any view of them is quick to draw."""

from dataclasses import dataclass

import numpy as np

from ..core.progress import Progress, Steps

# Each level stands for so many times more frames than the one before it.
FACTOR = 4
# Values kept in a level of few enough columns to be drawn whole.
_FEWEST_BINS = 256
_NEURONS_AT_ONCE = 64
# z-scores that the darkest and the brightest colour stand for.
LOW_Z, HIGH_Z = -1.0, 4.0
# Neurons averaged in one row of pixels, of however many lie in it.
_MOST_PER_ROW = 4


@dataclass(frozen=True, eq=False, repr=False)
class TraceLevels:
    """z-scored traces, whole and averaged over ever longer bins of time.

    Parameters
    ----------
    traces : numpy.ndarray, (neurons, frames)
        dF/F; not copied.
    mean, deviation : numpy.ndarray, (neurons,)
    levels : tuple of numpy.ndarray, each (neurons, bins)
        float16 means of z over 4, 16, 64 ... frames.
    """

    traces: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    levels: tuple[np.ndarray, ...]

    def view(
        self, neurons: np.ndarray, start: int, stop: int, width: int, height: int
    ) -> tuple[np.ndarray, int, int]:
        """Return a picture of some neurons, in that order, from frame `start` to `stop`.

        Where there are more neurons than rows of pixels, a row is the mean of up to 4 of the
        neurons that lie in it.

        Parameters
        ----------
        neurons : numpy.ndarray of int
            Rows from top to bottom.
        width, height : int
            Pixels that there are.

        Returns
        -------
        (numpy.ndarray, int, int)
            z, (rows, columns) float32, and the first and last frame that it really covers.
        """
        n_frames = self.traces.shape[1]
        start, stop = max(0, start), min(n_frames, stop)
        level = 0
        while level < len(self.levels) and FACTOR ** (level + 1) * width <= stop - start:
            level += 1
        bin_frames = FACTOR**level
        first = start // bin_frames
        last = -(-stop // bin_frames)
        rows = _rows(neurons, height)
        if level == 0:
            part = self.traces[rows.ravel(), first:last].astype(np.float32)
            part = (part - self.mean[rows.ravel(), None]) / self.deviation[rows.ravel(), None]
        else:
            part = self.levels[level - 1][rows.ravel(), first:last].astype(np.float32)
        picture = part.reshape(*rows.shape, -1).mean(axis=1)
        return picture, first * bin_frames, min(n_frames, last * bin_frames)


def trace_levels_steps(traces: np.ndarray) -> Steps[TraceLevels]:
    """Average the traces, some neurons at a time."""
    n_neurons, n_frames = traces.shape
    counts = []
    bins = -(-n_frames // FACTOR)
    while bins >= _FEWEST_BINS:
        counts.append(bins)
        bins = -(-bins // FACTOR)
    levels = tuple(np.empty((n_neurons, count), np.float16) for count in counts)
    mean = np.empty(n_neurons, np.float32)
    deviation = np.empty(n_neurons, np.float32)
    for start in range(0, n_neurons, _NEURONS_AT_ONCE):
        some = slice(start, start + _NEURONS_AT_ONCE)
        part = traces[some]
        mean[some] = part.mean(axis=1, dtype=np.float64)
        part = part - mean[some, None]
        deviation[some] = np.sqrt(np.square(part).mean(axis=1, dtype=np.float64))
        deviation[some] = np.maximum(deviation[some], 1e-12)
        part /= deviation[some, None]
        weight = np.ones(n_frames, np.float32)
        for level in levels:
            part, weight = _averaged(part, weight)
            level[some] = part
        yield Progress(min(n_neurons, start + _NEURONS_AT_ONCE), n_neurons, "Preparing traces")
    return TraceLevels(traces, mean, deviation, levels)


def _averaged(part: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbouring columns that stand for `weight` frames each."""
    whole = part.shape[1] // FACTOR * FACTOR
    columns = -(-part.shape[1] // FACTOR)
    averaged = np.empty((len(part), columns), np.float32)
    total = np.empty(columns, np.float32)
    # All columns but the last stand for the same number of frames.
    total[: whole // FACTOR] = weight[:whole].reshape(-1, FACTOR).sum(axis=1)
    alike = part[:, :whole].reshape(len(part), -1, FACTOR)
    averaged[:, : whole // FACTOR] = np.einsum("nbf->nb", alike) / FACTOR
    if whole < part.shape[1]:
        total[-1] = weight[whole:].sum()
        averaged[:, -1] = part[:, whole:] @ (weight[whole:] / total[-1])
    elif columns and weight[-1] != weight[0]:
        last = slice(whole - FACTOR, whole)
        averaged[:, -1] = part[:, last] @ (weight[last] / total[-1])
    return averaged, total


def _rows(neurons: np.ndarray, height: int) -> np.ndarray:
    """Return which neurons each row of pixels shows, (rows, neurons in a row)."""
    n_rows = min(len(neurons), max(1, height))
    edges = np.linspace(0, len(neurons), n_rows + 1)
    per_row = int(np.clip(np.ceil(len(neurons) / n_rows), 1, _MOST_PER_ROW))
    inside = (np.arange(per_row) + 0.5) / per_row
    places = edges[:-1, None] + inside * np.diff(edges)[:, None]
    return neurons[places.astype(int)]
