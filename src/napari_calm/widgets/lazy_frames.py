"""Frames that are painted from one value a neuron when napari asks for them."""

import numpy as np

# Up to this size a rim of two pixels would leave hardly any inside.
_SMALL_ROI_PX = 150


class PaintedFrames:
    """A movie (frames, height, width) that exists only as its values and one image.

    A frame is ``values[:, t]`` painted on the pixels of each neuron: a look-up
    per slice, so the movie costs one label image however long it is.

    Parameters
    ----------
    values : numpy.ndarray, (neurons, frames)
        What to paint; kept, not copied.
    neuron_image : numpy.ndarray of int, (height, width)
        0 for background, neuron index + 1 elsewhere.
    column_of_frame : numpy.ndarray of int, (frames,), optional
        Which column of `values` a frame shows (-1 for none); one column a frame
        if not given. Tokens, which stand for several frames, are painted so.
    background : float
        Value of pixels outside all neurons; NaN is drawn transparent.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(
        self,
        values: np.ndarray,
        neuron_image: np.ndarray,
        *,
        column_of_frame: np.ndarray | None = None,
        background: float = np.nan,
    ) -> None:
        if values.ndim != 2:
            raise ValueError(f"values have shape {values.shape}; expected (neurons, frames)")
        if neuron_image.size and not 0 <= neuron_image.min() <= neuron_image.max() <= len(
            values
        ):
            raise ValueError(
                f"the image has neurons up to {neuron_image.max()}; there are {len(values)}"
            )
        self.values = values
        self.neuron_image = neuron_image
        self.column_of_frame = column_of_frame
        self.background = float(background)
        n_frames = values.shape[1] if column_of_frame is None else len(column_of_frame)
        self.shape = (int(n_frames), *map(int, neuron_image.shape))

    @property
    def size(self) -> int:
        """Number of elements of the movie that this stands for."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes really held."""
        return int(self.values.nbytes + self.neuron_image.nbytes)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key) -> np.ndarray:
        """Paint the frames and the part of the image that `key` asks for."""
        frames_key, *image_key = self._full_key(key)
        image = self.neuron_image[tuple(image_key)]
        frames = np.arange(self.shape[0])[frames_key]
        if frames.ndim == 0:
            return self._table(int(frames))[image]
        return (
            np.stack([self._table(int(t))[image] for t in frames])
            if frames.size
            else (np.empty((0, *image.shape), self.dtype))
        )

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """Paint every frame; napari asks for this only to show the movie as a volume."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def _full_key(self, key) -> tuple:
        key = key if isinstance(key, tuple) else (key,)
        if any(part is Ellipsis for part in key):
            at = next(i for i, part in enumerate(key) if part is Ellipsis)
            fill = (slice(None),) * (self.ndim - len(key) + 1)
            key = (*key[:at], *fill, *key[at + 1 :])
        if len(key) > self.ndim:
            raise IndexError(f"too many indices: {len(key)} for {self.ndim} axes")
        return (*key, *(slice(None),) * (self.ndim - len(key)))

    def _table(self, frame: int) -> np.ndarray:
        """Return the value of background and each neuron at `frame`, (1 + neurons,)."""
        table = np.full(len(self.values) + 1, self.background, self.dtype)
        column = frame if self.column_of_frame is None else int(self.column_of_frame[frame])
        if column >= 0:
            table[1:] = self.values[:, column]
        return table


def neuron_image(label_image: np.ndarray, label_values: np.ndarray) -> np.ndarray:
    """Turn label values into neuron index + 1, (height, width) int32; 0 stays background."""
    table = np.zeros(int(label_values.max()) + 1, np.int32)
    table[label_values] = np.arange(1, len(label_values) + 1)
    return table[label_image]


def ring_image(neurons: np.ndarray) -> np.ndarray:
    """Keep only the rims of the neurons in a neuron image, one or two pixels wide.

    Rims leave room inside each ROI for a second value, and for the movie.
    """
    # Late: it takes long to import.
    from scipy.ndimage import maximum_filter, minimum_filter

    def rim(width: int) -> np.ndarray:
        size = 2 * width + 1
        return minimum_filter(neurons, size) != maximum_filter(neurons, size)

    is_small = np.bincount(neurons.ravel())[neurons] < _SMALL_ROI_PX
    return np.where(np.where(is_small, rim(1), rim(2)), neurons, 0)
