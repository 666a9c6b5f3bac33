"""Rejected cells: where they come from, and that they stay out of every result if asked."""

import shlex
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication

from napari_calm import cli
from napari_calm.analysis.skill import forecast_skill
from napari_calm.core.recording import Recording
from napari_calm.explore.cluster import cluster
from napari_calm.explore.files import read_clusters
from napari_calm.explore.selectivity import selectivity
from napari_calm.explore.trajectories import trajectories
from napari_calm.io.results import read_forecast, read_tokens
from napari_calm.io.traces import read_traces_npz, write_recording
from napari_calm.model.adaptation import Adaptation, with_rows
from napari_calm.model.calm import CalmModel
from napari_calm.train.adapt import fitted_weights
from napari_calm.widgets.colouring import colouring_of
from napari_calm.widgets.explore_panel import ExplorePanel
from napari_calm.widgets.job import Ending
from napari_calm.widgets.layers import FORECAST, TOKENS, role_of
from napari_calm.widgets.most_active import most_active
from napari_calm.widgets.session import Session
from napari_calm.widgets.session_code import as_command, as_python
from napari_calm.widgets.trace_panel import picture_of
from napari_calm.widgets.use_row import UseRow

LEFT = Qt.MouseButton.LeftButton
REJECTED = (2, 9)
LEFT_IN = np.delete(np.arange(12), REJECTED)


@pytest.fixture
def judged(with_task):
    """Return the panel with two neurons rejected, as the key R does it."""
    with_task.session.set_accepted(REJECTED, False)
    return with_task


@pytest.fixture
def cells(task):
    return task.select(LEFT_IN)


def use(qtbot, button):
    qtbot.mouseClick(button, LEFT, pos=QPoint(8, button.height() // 2))
    assert button.isChecked()


def ask_for_forecast(panel, press, button=None):
    panel.session.seek(60.0)
    panel.forecast.seed.setValue(3)
    panel.forecast.samples.setValue(4)
    panel.forecast.horizon.setValue(2.0)
    return press(panel, button or panel.forecast.forecast)


def run_commands(text, monkeypatch):
    for line in text.splitlines():
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code, line


def test_a_session_starts_with_what_the_source_accepts(task):
    session = Session()
    flags = np.arange(12) % 3 != 0
    session.set_recording(replace(task, accepted=flags))
    np.testing.assert_array_equal(session.accepted, flags)
    np.testing.assert_array_equal(session.in_use.flags, flags)
    assert flags[list(session.selection)].all()
    session.set_recording(task)
    assert session.accepted.all()
    assert session.in_use.neurons is None


def test_rejected_neurons_are_selected_last(task):
    active = most_active(task, 3)
    flags = np.ones(12, bool)
    flags[active[0]] = False
    assert most_active(replace(task, accepted=flags), 2) == active[1:]


def test_the_choice_says_how_many_are_used(task, qtbot):
    session, told = Session(), []
    row = UseRow(session)
    qtbot.addWidget(row)
    row.show()
    session.in_use_changed.connect(lambda: told.append(session.left_out.sum()))
    session.set_recording(task)
    assert row.accepted.isChecked()
    assert row.told.text() == ""
    session.set_accepted(REJECTED, False)
    assert "10 of 12 are used; 2 left out" in row.told.text()
    np.testing.assert_array_equal(session.in_use.neurons, LEFT_IN)
    use(qtbot, row.all)
    assert "All 12 are used" in row.told.text()
    assert session.in_use.neurons is None
    session.set_accepted((0,), False)
    use(qtbot, row.accepted)
    session.set_accepted(range(12), False)
    assert "nothing would be left" in row.told.text()
    assert session.in_use.neurons is None
    # Of what changed nothing for the next result, no result hears.
    assert told == [0, 2, 0, 3, 0]
    row.release()


def test_tokens_of_accepted_cells_keep_the_numbers(
    judged, cells, task, small_model, press, viewer, qtbot
):
    press(judged, judged.tokens.tokenise)
    session, made = judged.session, judged.session.tokens
    alone = small_model.tokenize(cells)
    np.testing.assert_array_equal(made.tokens[LEFT_IN], alone.tokens)
    np.testing.assert_array_equal(np.flatnonzero(~made.known), REJECTED)
    np.testing.assert_array_equal(made.roi_labels, task.roi_labels)
    assert made.used_codes == alone.used_codes
    layer = next(layer for layer in viewer.layers if role_of(layer) == TOKENS)
    shown = np.asarray(layer.data[100])
    labels = task.footprints.label_image
    for neuron, label in enumerate(task.roi_labels[:10]):
        painted = shown[labels == label]
        painted = painted[np.isfinite(painted)]
        if neuron in REJECTED:
            assert painted.size == 0
        else:
            assert set(painted) == {made.tokens[neuron, made.token_of_frame()[100]]}
    session.select((REJECTED[0], 0))
    rows = picture_of(session).rows
    assert "not computed" in rows[0].name
    assert rows[0].strip is None
    assert rows[1].strip is not None

    # The codebook counts what accepted cells say.
    explore = ExplorePanel(judged._viewer, session)
    qtbot.addWidget(explore)
    explore.resize(1100, 420)
    explore.show()
    explore.tabs.setCurrentWidget(explore.codebook)
    qtbot.waitUntil(lambda: explore.codebook.shapes is not None)
    spoken = alone.tokens
    counts = np.bincount(spoken.ravel(), minlength=session.tokens.n_codes)
    np.testing.assert_array_equal(explore.codebook.shapes.counts, counts)
    code = int(counts.argmax())
    session.set_code(code)
    share = explore.codebook.share
    qtbot.waitUntil(lambda: share.yData is not None and len(share.yData) > 0)
    np.testing.assert_allclose(share.yData, (spoken == code).mean(axis=0))
    explore.release_once()


def test_a_forecast_of_accepted_cells_looks_at_no_other(
    judged, cells, small_model, press, viewer
):
    ask_for_forecast(judged, press)
    session, made = judged.session, judged.session.forecast
    alone = small_model.forecast(cells, start_frame=360, horizon_frames=12, samples=4, seed=3)
    np.testing.assert_allclose(made.samples[:, LEFT_IN], alone.samples, rtol=1e-5, atol=1e-6)
    assert np.isnan(made.mean[list(REJECTED)]).all()
    expected = forecast_skill(cells, alone)
    np.testing.assert_allclose(session.skill.mse, expected.mse, rtol=1e-4)
    layer = next(layer for layer in viewer.layers if role_of(layer) == FORECAST)
    labels = session.recording.footprints.label_image
    shown = np.asarray(layer.data[0])
    assert np.isnan(shown[labels == session.recording.roi_labels[2]]).all()
    assert np.isfinite(shown[labels == session.recording.roi_labels[3]]).all()
    session.select((2, 3))
    rows = picture_of(session).rows
    assert rows[0].fan is None
    assert np.isfinite(rows[1].fan.mean).all()


def test_skill_here_is_of_accepted_cells(judged, press, qtbot):
    here = judged.forecast.here
    press(judged, here.score)
    assert "starts in the last" in here.result.text()
    assert "not up to date" not in here.result.text()
    only = here.result.text()
    judged.session.set_accepted((5,), False)
    assert "This is not up to date: made with ROI 6, left out now" in here.result.text()
    judged.session.set_accepted((5,), True)
    assert here.result.text() == only
    use(qtbot, judged.recording.use.all)
    assert "made without ROI 3, 10, in use now" in here.result.text()
    press(judged, here.score)
    assert here.result.text() != only
    assert "not up to date" not in here.result.text()


def test_selectivity_and_trajectories_are_of_accepted_cells(
    judged, cells, small_model, press, choose
):
    column, session = judged.embedding.column, judged.session
    choose(column.column, "cue")
    press(judged, column.selectivity)
    found = session.selectivity["cue"]
    expected = selectivity(cells, "cue", draws=20)
    np.testing.assert_array_equal(found.p_value[LEFT_IN], expected.p_value)
    np.testing.assert_array_equal(found.q_value[LEFT_IN], expected.q_value)
    assert found.verdict() == expected.verdict()
    assert "of 10 neurons" in column.result.text()
    assert np.isnan(found.d_prime[list(REJECTED)]).all()
    session.set_colour_by("cue: preferred")
    colouring = colouring_of(session)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(colouring.values)), REJECTED)
    press(judged, column.trajectories)
    alone = trajectories(small_model, cells, by="cue")
    np.testing.assert_allclose(session.trajectories.states, alone.states, rtol=1e-4, atol=1e-4)
    session.set_accepted((0,), False)
    text = column.result.text()
    assert "Selectivity for cue is not up to date: made with ROI 1, left out now" in text
    assert "Trajectories are not up to date" in text


def test_cluster_leaves_rejected_cells_out_and_all_views_know(
    judged, task, small_model, press, qtbot
):
    section, session = judged.embedding, judged.session
    assert press(judged, section.cluster).ending is Ending.DONE
    request = session.requests["clusters"].options
    assert request["neurons"] == tuple(LEFT_IN.tolist())
    expected = cluster(small_model, task, **request)
    np.testing.assert_array_equal(session.clusters.labels, expected.labels)
    assert (session.clusters.labels[list(REJECTED)] == -1).all()
    assert "2 rejected neurons left out" in section.result.text()
    assert np.isnan(session.neuron_map.points[list(REJECTED)]).all()
    explore = ExplorePanel(judged._viewer, session)
    qtbot.addWidget(explore)
    explore.resize(1100, 420)
    explore.show()
    qtbot.waitUntil(lambda: len(explore.scatter.plot.neurons.data) == 10)
    qtbot.waitUntil(lambda: explore.raster.plot._image.image is not None)
    assert set(explore.raster.plot._rows.order[-2:]) == set(REJECTED)
    session.select((REJECTED[0], 0))
    qtbot.waitUntil(lambda: len(explore.scatter.plot.rings.data) == 1)
    explore.release_once()
    # What was read of ten neurons is not taken for a reading of twelve, nor of ten others.
    reading = session.reading
    session.set_accepted((2,), True)
    session.set_accepted((3,), False)
    assert press(judged, section.cluster).ending is Ending.DONE
    assert session.reading is not reading
    assert np.flatnonzero(~session.embedding.known).tolist() == [3, 9]
    use(qtbot, judged.recording.use.all)
    assert "Clusters are not up to date: made without ROI 4, 10" in section.result.text()
    assert press(judged, section.cluster).ending is Ending.DONE
    assert (session.clusters.labels >= 0).all()
    assert session.embedding.known.all()
    assert "not up to date" not in section.result.text()


def test_decode_leaves_rejected_cells_out(judged, press, qtbot, tmp_path):
    section, session = judged.decode, judged.session
    section.choices.shifts.setValue(2)
    section.choices.folds.setValue(2)
    section.variable.setCurrentText("cue")
    assert press(judged, section.decode).ending is Ending.DONE
    weights = session.decoding.neuron_weights
    assert np.isnan(weights[list(REJECTED)]).all()
    assert np.nansum(weights) == pytest.approx(1)
    session.set_colour_by("cue: weight")
    session.select((0,))
    assert session.states_of(session.model, session.recording) is None
    assert session.states_of(session.model, session.in_use.part) is not None
    section.save_to(tmp_path / "cue.csv")
    table = pd.read_csv(tmp_path / "cue.neurons.csv")
    assert table["accepted"].tolist() == session.accepted.tolist()
    section.keep_decoder(tmp_path / "cue.safetensors")
    with qtbot.waitSignal(judged.job.ended, timeout=30_000) as ended:
        section.start_applying(tmp_path / "cue.safetensors")
    assert ended.args[0].ending is Ending.DONE
    assert np.isnan(session.applied.weights[list(REJECTED)]).all()
    use(qtbot, judged.recording.use.all)
    assert "This is not up to date: made without ROI 3, 10" in section.result.text()
    with qtbot.waitSignal(judged.job.ended, timeout=30_000) as ended:
        section.start_applying(tmp_path / "cue.safetensors")
    assert "12 neurons are not the 10 that the decoder" in ended.args[0].message


def test_a_cell_rejected_after_a_result_is_told_in_place(judged, press, qtbot):
    session = judged.session
    press(judged, judged.tokens.tokenise)
    ask_for_forecast(judged, press)
    before = session.tokens
    session.set_accepted((0, 9), False)
    for section, what in ((judged.tokens, "Tokens are"), (judged.forecast, "The forecast is")):
        text = section.result.text()
        assert f"{what} not up to date: made with ROI 1, left out now. Press" in text
    session.set_accepted((0, 9), True)
    assert "made without ROI 10, in use now" in judged.tokens.result.text()
    assert session.tokens is before
    session.set_accepted(range(3, 9), False)
    assert "made with 6 neurons, left out now; made without ROI 10" in (
        judged.tokens.result.text()
    )
    press(judged, judged.tokens.tokenise)
    assert "not up to date" not in judged.tokens.result.text()
    # Following the slider makes the forecast anew by itself.
    with qtbot.waitSignal(judged.job.ended, timeout=30_000):
        judged.forecast.follow_slider.click()
    assert np.flatnonzero(~session.forecast.known).tolist() == [2, *range(3, 9)]
    with qtbot.waitSignal(judged.job.ended, timeout=30_000):
        session.set_accepted((4,), True)
    assert np.flatnonzero(~session.forecast.known).tolist() == [2, 3, *range(5, 9)]


@pytest.mark.parametrize("said_by", ["user", "file"])
def test_copies_leave_the_same_neurons_out(
    viewer, panel, small_model, task, tmp_path, press, choose, qtbot, monkeypatch, said_by
):
    from napari_calm.model.checkpoint import save_model

    save_model(small_model, tmp_path / "a model")
    flags = np.isin(np.arange(12), LEFT_IN)
    by_file = replace(task, accepted=flags) if said_by == "file" else task
    write_recording(by_file, tmp_path / "task.npz")
    viewer.open(tmp_path / "task.npz", plugin="napari-calm")
    panel.model.choose(str(tmp_path / "a model"))
    session = panel.session
    session.set_accepted(REJECTED, False)
    press(panel, panel.tokens.tokenise)
    ask_for_forecast(panel, press)
    column = panel.embedding.column
    column.draws.setValue(30)
    choose(column.column, "cue")
    press(panel, column.selectivity)
    press(panel, column.trajectories)
    # Clusters are of others than the rest, which the copies have to keep apart.
    session.set_accepted((5,), False)
    panel.embedding.choices.setting.setValue(2)
    panel.embedding.choices.resamplings.setValue(2)
    press(panel, panel.embedding.cluster)
    qtbot.mouseClick(panel.export.copy_python, LEFT)
    script = QApplication.clipboard().text()
    assert ("recording.accepted" in script) == (said_by == "file")
    found: dict = {}
    exec(script, found)
    np.testing.assert_array_equal(found["tokens"].tokens, session.tokens.tokens)
    np.testing.assert_allclose(
        found["forecast"].samples, session.forecast.samples, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(found["clusters"].labels, session.clusters.labels)
    kept = session.selectivity["cue"]
    np.testing.assert_array_equal(found["selectivity"]["cue"].p_value, kept.p_value)
    np.testing.assert_allclose(
        found["trajectories"].states, session.trajectories.states, rtol=1e-4, atol=1e-4
    )
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    commands = as_command(session)
    assert ("--leave-out rejected" in commands) == (said_by == "file")
    assert "--leave-out 2,5,9" in commands
    run_commands(commands, monkeypatch)
    np.testing.assert_array_equal(read_tokens("tokens.npz").tokens, session.tokens.tokens)
    np.testing.assert_allclose(
        read_forecast("forecast.npz").samples, session.forecast.samples, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(read_clusters("clusters.npz").labels, session.clusters.labels)
    table = pd.read_csv("selectivity.csv")
    assert table["neuron"].tolist() == list(range(12))
    np.testing.assert_allclose(table["cue: d'"], kept.d_prime, rtol=1e-3, atol=1e-3)


def test_tables_have_the_judgement_and_no_rows_of_what_was_left_out(
    judged, press, choose, tmp_path
):
    press(judged, judged.embedding.cluster)
    judged.embedding.save_to(tmp_path / "clusters.csv")
    table = pd.read_csv(tmp_path / "clusters.csv")
    assert table["accepted"].tolist() == judged.session.accepted.tolist()
    ask_for_forecast(judged, press)
    judged.session.set_accepted((0,), False)
    judged.forecast.save_to(tmp_path / "forecast.csv")
    table = pd.read_csv(tmp_path / "forecast.csv")
    assert table["neuron"].unique().tolist() == LEFT_IN.tolist()
    assert table.groupby("neuron")["accepted"].first().tolist() == [False, *[True] * 9]
    choose(judged.embedding.column.column, "cue")
    press(judged, judged.embedding.column.selectivity)
    judged.embedding.column.save_to(tmp_path / "cue.npz")
    flags = np.load(tmp_path / "cue.npz")["accepted"]
    assert flags.tolist() == judged.session.accepted.tolist()
    # Copies follow the file that was saved, which has the judgement of now.
    judged.export.save_recording_to(tmp_path / "task.npz")
    kept = read_traces_npz(tmp_path / "task.npz")
    np.testing.assert_array_equal(np.flatnonzero(~kept.accepted), [0, *REJECTED])
    script = as_python(judged.session)
    assert "used = recording.all_but([2, 9])" in script
    press(judged, judged.tokens.tokenise)
    assert "used = recording.accepted" in as_python(judged.session)


def adapted_to(recording, model):
    """Return an adaptation with a row of its own for each neuron."""
    import copy

    import torch

    fitted = copy.deepcopy(model)
    with_rows(fitted, recording.n_neurons)
    with torch.no_grad():
        fitted.dynamics.neuron_embed.weight.add_(
            torch.randn(
                fitted.dynamics.neuron_embed.weight.shape,
                generator=torch.Generator().manual_seed(1),
            )
        )
    weights = fitted_weights(fitted)
    return Adaptation("random", "task", 300, recording.roi_labels, weights, 1.0, 0.5)


@pytest.fixture
def with_head(with_task):
    model = CalmModel.random(seed=3, head=True, context_frames=16, max_frames=64)
    with_task.model.source.put(model, "tiny", "auto")
    return with_task, model


def test_an_adapted_model_goes_on_with_the_rows_of_those_in_use(with_head, task, press):
    panel, model = with_head
    session = panel.session
    session.set_adaptation(adapted_to(task, model))
    ask_for_forecast(panel, press)
    session.set_accepted(REJECTED, False)
    text = panel.adapt.result.text()
    assert "made with ROI 3, 10, left out now" in text
    ask_for_forecast(panel, press)
    rows = adapted_to(task, model).weights["neuron_rows"][LEFT_IN]
    used = session.model.dynamics.neuron_embed.weight
    np.testing.assert_array_equal(used.detach().numpy(), rows.numpy())
    expected = session.adaptation.select(task.roi_labels[LEFT_IN]).apply(model)
    alone = expected.forecast(
        task.select(LEFT_IN), start_frame=360, horizon_frames=12, samples=4, seed=3
    )
    np.testing.assert_allclose(session.forecast.mean[LEFT_IN], alone.mean, rtol=1e-4, atol=1e-5)


def test_an_adapted_model_refuses_a_neuron_that_it_was_not_fitted_to(with_head, task, qtbot):
    panel, model = with_head
    session = panel.session
    session.set_accepted(REJECTED, False)
    session.set_adaptation(adapted_to(task.select(LEFT_IN), model))
    assert panel.forecast.forecast.isEnabled()
    session.set_accepted((2,), True)
    assert not panel.forecast.forecast.isEnabled()
    assert "adapted without ROI 3, in use now" in panel.forecast.forecast.toolTip()
    assert panel.adapt.adapt.isEnabled()
    qtbot.mouseClick(panel.adapt.zero_shot, LEFT, pos=QPoint(8, 8))
    assert panel.forecast.forecast.isEnabled()


def test_numbers_stay_where_a_recording_has_no_rois(with_task, task, small_model, press):
    bare = Recording(task.traces, task.frame_rate_hz, name="bare")
    with_task.session.set_recording(bare)
    with_task.session.set_accepted(REJECTED, False)
    press(with_task, with_task.tokens.tokenise)
    assert with_task.session.tokens.roi_labels.tolist() == list(range(12))
    assert bare.select(LEFT_IN).roi_labels.tolist() == LEFT_IN.tolist()
    with_task.session.set_accepted((0,), False)
    assert "made with cell 0, left out now" in with_task.tokens.result.text()
