"""Colours that the preferences give are drawn at once, and told in words."""

import numpy as np
import pytest

from napari_calm.core.forecast import Forecast
from napari_calm.explore.cluster_palette import PALETTES, cluster_colours
from napari_calm.widgets import layers
from napari_calm.widgets.neuron_colours import CLUSTERS
from napari_calm.widgets.palette import is_faint, neuron_colour
from napari_calm.widgets.settings import ColourSettings, kept_colours, read_colour_settings


@pytest.fixture
def kept(viewer):
    kept = kept_colours()
    before = {name: getattr(kept, name) for name in ColourSettings.__dataclass_fields__}
    yield kept
    for name, value in before.items():
        setattr(kept, name, value)


def a_forecast(recording):
    mean = np.zeros((recording.n_neurons, 6))
    levels = np.array([0.05, 0.5, 0.95])
    return Forecast(
        mean,
        np.stack([mean - 1, mean, mean + 1]),
        levels,
        np.zeros((0, *mean.shape)),
        100,
        recording.frame_rate_hz,
        np.zeros(recording.n_neurons),
        np.ones(recording.n_neurons),
    )


def test_without_a_choice_they_are_the_defaults(kept):
    assert read_colour_settings() == ColourSettings()


def test_what_the_preferences_offer_exists(kept):
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    offered = {
        name: field.json_schema_extra["enum"] for name, field in type(kept).model_fields.items()
    }
    assert set(offered["clusters"]) == set(PALETTES)
    assert set(offered["activity"]) == set(offered["forecast"]) <= set(AVAILABLE_COLORMAPS)
    for name in offered["neurons"]:
        kept.neurons = name
        assert len({neuron_colour(position) for position in range(6)}) == 6


def test_clusters_take_another_palette_at_once(kept, viewer, panel, task, explored):
    session = panel.session
    session.set_recording(task)
    session.set_clusters(explored.clusters)
    panel.show_explore()
    kept.clusters = "tol bright"
    expected = cluster_colours(2, "tol bright")
    assert expected[0].tolist() == [68, 119, 170]
    label = int(task.footprints.label_values[0])
    drawn = np.array(viewer.layers[CLUSTERS].colormap.color_dict[label][:3]) * 255
    wanted = expected[explored.clusters.labels[0]]
    np.testing.assert_allclose(drawn, wanted, atol=1)
    red, green, blue = expected[1].tolist()
    assert f"rgb({red}, {green}, {blue})" in panel.explore.key.text.text()


def test_activity_and_forecast_are_recoloured_and_the_words_follow(kept, viewer, panel, task):
    session = panel.session
    session.set_recording(task)
    session.set_forecast(a_forecast(task))
    assert "white is both" in panel.forecast.result.text()
    kept.activity, kept.forecast = "yellow", "blue"
    assert viewer.layers[layers.ACTIVITY].colormap.name == "yellow"
    assert viewer.layers[f"{layers.FORECAST} (zero-shot)"].colormap.name == "blue"
    told = panel.forecast.result.text()
    assert "yellow: measured" in told
    assert "blue: zero-shot forecast; white is both" in told
    kept.activity = "gray"
    assert "white is both" not in panel.forecast.result.text()


def test_pairs_that_are_said_to_make_white_do(kept):
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    from napari_calm.widgets.palette import overlay_words

    colormaps = type(kept).model_fields["activity"].json_schema_extra["enum"]
    for activity in colormaps:
        for forecast in colormaps:
            kept.activity, kept.forecast = activity, forecast
            both = sum(
                AVAILABLE_COLORMAPS[name].colors[-1, :3] for name in (activity, forecast)
            )
            is_white = np.allclose(both, 1, atol=0.01)
            assert bool(overlay_words("")[2]) == is_white, (activity, forecast)


def test_selected_neurons_take_another_palette_at_once(kept, viewer, panel, task):
    panel.session.set_recording(task)
    panel.session.select((2,))
    kept.neurons = "tol muted"
    label = int(task.footprints.label_values[2])
    drawn = np.array(viewer.layers[layers.ROIS].colormap.color_dict[label][:3]) * 255
    np.testing.assert_allclose(drawn, (204, 102, 119), atol=1)


def test_a_closed_panel_follows_the_preferences_no_more(kept, viewer, panel, task):
    panel.session.set_recording(task)
    panel.release_once()
    kept.activity = "red"
    assert viewer.layers[layers.ACTIVITY].colormap.name == "magenta"


@pytest.mark.parametrize("palette", PALETTES)
def test_a_palette_goes_on_in_distinct_colours(palette):
    colours = [tuple(colour) for colour in cluster_colours(30, palette).tolist()]
    assert len(set(colours)) == 30
    own = PALETTES[palette]
    assert tuple(colours[: len(own)]) == own
    # No cluster can be taken for the dark or the light window's ground.
    assert not any(is_faint(colour, "#000000") for colour in own if sum(colour) > 250)
