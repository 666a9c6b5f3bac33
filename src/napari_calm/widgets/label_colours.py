"""Having napari's function that colours labels ready before the first ROIs are shown."""

import functools
import threading

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

# Textures of labels are uint8 up to 255 colours and uint16 beyond: one function each.
_COLOURS_OF_A_TEXTURE_TYPE = (1, 300)


@functools.cache
def prepare_label_colours() -> threading.Thread:
    """Let napari compile, once a process and in a thread, how it maps labels to colours.

    napari does this with numba when it first draws labels of more than 16 bits in given
    colours. That takes one to two seconds, for which the window would stand still.

    Returns
    -------
    threading.Thread
        The thread that does it, started.
    """
    thread = threading.Thread(target=_colour_a_few_labels, name="prepare label colours")
    thread.start()
    return thread


def _colour_a_few_labels() -> None:
    labels = np.zeros((2, 2), np.int32)
    for n_colours in _COLOURS_OF_A_TEXTURE_TYPE:
        colours = {number: (number / n_colours, 0.0, 0.0, 1.0) for number in range(n_colours)}
        DirectLabelColormap(color_dict={None: (0.0, 0.0, 0.0, 0.0), **colours}).map(labels)
