import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from napari_calm.core.footprints import Footprints
from napari_calm.core.progress import run
from napari_calm.core.token_map import TokenMap
from napari_calm.explore.cluster_description import mean_traces, spread_steps, token_use
from napari_calm.explore.cluster_palette import (
    NO_CLUSTER_RGB,
    SAFE_COLOURS,
    cluster_colours,
)

LABELS = np.repeat([0, 1, -1], [10, 10, 4])


def footprints_at(centres):
    pixels = [(np.array([y]), np.array([x]), np.ones(1)) for y, x in centres]
    return Footprints.from_pixels(pixels, (100, 100))


def test_a_compact_cluster_is_told_from_a_scattered_one(rng):
    centres = rng.integers(0, 100, (24, 2))
    centres[:10] = rng.integers(40, 55, (10, 2))
    found = run(spread_steps(footprints_at(centres), LABELS, draws=199))
    assert found.ratio[0] < 0.5
    assert found.p_value[0] == 1 / 200
    assert found.ratio[1] > 0.8
    assert found.p_value[1] > 0.05


def test_without_rois_nothing_is_said_about_place():
    found = run(spread_steps(None, LABELS))
    assert np.isnan(found.ratio).all()


def test_mean_traces_are_of_z_scored_members(rng):
    traces = rng.normal(size=(24, 50)) * rng.uniform(1, 9, (24, 1)) + 5
    z = (traces - traces.mean(1, keepdims=True)) / traces.std(1, keepdims=True)
    found = mean_traces(traces, LABELS)
    np.testing.assert_allclose(found, [z[:10].mean(0), z[10:20].mean(0)])


def test_a_token_that_one_cluster_says_more_often_marks_it(rng):
    tokens = rng.integers(0, 6, (24, 200))
    own = rng.random((10, 200)) < 0.3
    tokens[:10][own] = 3
    found = TokenMap(tokens, 8, 4, 6.0, 6.0, 800)
    ratio, q = token_use(found, LABELS)
    share = (tokens == 3).mean(axis=1)
    assert ratio[0, 3] == pytest.approx(share[:10].mean() / share[10:].mean())
    p = mannwhitneyu(share[:10], share[10:], method="asymptotic").pvalue
    assert p <= q[0, 3] < 0.001
    assert (q[1, [0, 1, 2, 4, 5]] > 0.001).all()
    # Codes that nobody says mark nobody.
    assert ratio[0, 7] == q[0, 7] == 1


def test_no_tokens_no_codes():
    ratio, q = token_use(None, LABELS)
    assert ratio.shape == q.shape == (2, 0)


# Linear RGB seen with one kind of cone missing (Machado et al. 2009, severity 1).
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("n_clusters", "least"), [(8, 20), (20, 10)])
def test_colours_are_told_apart_by_everybody(vision, n_clusters, least):
    from skimage.color import rgb2lab

    rgb = np.concatenate([cluster_colours(n_clusters), [NO_CLUSTER_RGB]]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
    seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = rgb2lab(seen[None])[0]
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert distances[np.triu_indices(len(lab), 1)].min() > least


def test_a_cluster_keeps_its_colour_and_many_have_some():
    assert SAFE_COLOURS == 20
    np.testing.assert_array_equal(cluster_colours(30)[:5], cluster_colours(5))
    assert len({tuple(colour) for colour in cluster_colours(30).tolist()}) == 30
