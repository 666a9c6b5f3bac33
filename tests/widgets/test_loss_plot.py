"""The learning curve shows how losses go on, whatever spikes they have."""

import numpy as np
import pytest

from napari_calm.widgets.loss_plot import LossPlot, running_median


@pytest.fixture
def plot(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    return plot


def curve_of(n_steps, seed=0):
    """Return losses that come down from 60, spike, and validations from 2.22 to 2.15."""
    rng = np.random.default_rng(seed)
    losses = (
        2.5 + rng.gamma(1.0, 0.3, n_steps) + 60 * np.exp(-np.arange(n_steps) * 100 / n_steps)
    )
    losses[rng.random(n_steps) < 0.01] *= 20
    rows = [{"step": 1.0 + step, "loss": loss} for step, loss in enumerate(losses)]
    for step in range(n_steps // 10, n_steps, n_steps // 10):
        rows[step]["validation_loss"] = 2.15 + 0.07 * np.exp(-3 * step / n_steps)
    rows[2]["validation_loss"] = 40.0
    return rows, losses


@pytest.mark.parametrize("n_steps", [60, 400, 3000])
def test_spikes_and_the_first_steps_do_not_flatten_the_validation(plot, n_steps):
    rows, losses = curve_of(n_steps)
    plot.show_curve(rows)
    low, high = plot.getViewBox().viewRange()[1]
    settled = [row["validation_loss"] for row in rows[5:] if "validation_loss" in row]
    assert low < min(settled)
    assert high > max(settled)
    assert high - low < 1.5
    assert low < np.median(losses) < high
    # Nothing is thrown away.
    np.testing.assert_array_equal(plot.training.getOriginalDataset()[1], losses)


def test_a_short_curve_is_seen_whole(plot):
    rows = [{"step": 1.0, "loss": 9.0}, {"step": 2.0, "loss": 3.0, "validation_loss": 4.0}]
    plot.show_curve(rows)
    low, high = plot.getViewBox().viewRange()[1]
    assert low < 3.4
    assert high > 8.6
    plot.show_curve([])
    assert plot.training.getOriginalDataset()[1] is None or not len(
        plot.training.getOriginalDataset()[1]
    )


def test_the_level_before_a_fit_is_in_view(plot):
    rows = [{"step": 0.0, "validation_loss": 3.9}, *curve_of(400)[0]]
    plot.show_curve(rows)
    assert plot.zero_shot.isVisible()
    assert plot.getViewBox().viewRange()[1][1] > 3.9


@pytest.mark.parametrize(("n_losses", "width"), [(3, 1), (25, 5), (60, 5), (400, 10)])
def test_the_thin_line_is_the_median_of_neighbours(n_losses, width):
    losses = np.random.default_rng(0).normal(size=n_losses)
    found = running_median(losses)
    for at in (0, n_losses // 2, n_losses - 1):
        # An even number of neighbours has one more before.
        first = max(0, at - width // 2)
        assert found[at] == pytest.approx(np.median(losses[first : at + (width - 1) // 2 + 1]))
