"""Having napari's function that colours labels ready before the first ROIs are shown."""

import numpy as np
from napari.utils.colormaps import DirectLabelColormap

# Textures of labels are uint8 up to 255 colours and uint16 beyond: one function each.
_COLOURS_OF_A_TEXTURE_TYPE = (1, 300)


def compile_label_colours() -> None:
    """Let napari compile how it maps labels to colours.

    napari does this with numba when it first draws labels of more than 16 bits in given
    colours. That takes one to two seconds, for which the window would stand still.
    """
    labels = np.zeros((2, 2), np.int32)
    for n_colours in _COLOURS_OF_A_TEXTURE_TYPE:
        colours = {number: (number / n_colours, 0.0, 0.0, 1.0) for number in range(n_colours)}
        DirectLabelColormap(color_dict={None: (0.0, 0.0, 0.0, 0.0), **colours}).map(labels)
