import numpy as np
import pytest
from napari.utils.colormaps import DirectLabelColormap

from napari_calm.widgets.warm_up import warm_up


@pytest.mark.parametrize("n_colours", [3, 1000])
def test_nothing_is_left_to_compile_when_rois_are_coloured(n_colours):
    event = pytest.importorskip("numba.core.event")
    warm_up().join()
    labels = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    colours = {number: (number / n_colours, 0, 0, 1) for number in range(n_colours)}
    with event.install_recorder("numba:compile") as recorder:
        mapped = DirectLabelColormap(color_dict={None: (0, 0, 0, 0), **colours}).map(labels)
    assert recorder.buffer == []
    np.testing.assert_allclose(mapped[0, 2], colours[2], atol=1e-6)


def test_it_is_done_once_a_process():
    assert warm_up() is warm_up()
