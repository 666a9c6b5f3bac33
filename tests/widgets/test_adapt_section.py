"""Adapting in the window: the live curve, the switch, labels, and what drops a fit."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_calm.core.progress import Progress
from napari_calm.widgets import layers
from napari_calm.widgets.adapt_section import adaptation_path
from napari_calm.widgets.fit_frames import FitFrames, scored_part
from napari_calm.widgets.job import Ending
from napari_calm.widgets.loss_plot import LossPlot
from napari_calm.widgets.session import ADAPTED, ZERO_SHOT, Session

from .conftest import random_recording, square_rois

N_FRAMES, N_STEPS = 400, 40


@pytest.fixture
def with_head(panel, monkeypatch):
    """Return a panel with a model that has a head, and a recording; fits take seconds."""
    from napari_calm.model.calm import CalmModel
    from napari_calm.train import adapt, adapt_apart
    from napari_calm.train.config import OptimiserConfig

    quick = partial(
        adapt.AdaptConfig,
        optimiser=OptimiserConfig(steps=N_STEPS, learning_rate=1e-3),
        batch_populations=1,
    )
    monkeypatch.setattr(adapt, "AdaptConfig", quick)
    monkeypatch.setattr(adapt_apart, "AdaptConfig", quick)
    model = CalmModel.random(seed=0, head=True, context_frames=16, max_frames=48)
    panel.model.source.put(model, "with head", "auto")
    panel.model.choose("with head")
    panel.adapt.apart = False
    panel.session.set_recording(random_recording(n_frames=N_FRAMES, footprints=square_rois()))
    return panel


@pytest.fixture(scope="module")
def fitted():
    """Hold the fit that the first test which needs one has made."""
    return []


@pytest.fixture
def fit_of_before(with_head, press, fitted):
    """Return steps that end at once with a fit to the recording; fitted once for all tests."""
    if not fitted:
        report = press(with_head, with_head.adapt.adapt)
        assert report.ending is Ending.DONE, report.message
        fitted[:] = [with_head.session.adaptation]
        with_head.session.set_adaptation(None)

    def steps(*_args, **_choices):
        yield Progress(1, 1, "fitted before")
        return fitted[0]

    return steps


@pytest.fixture
def adapted(with_head, press, fit_of_before, monkeypatch):
    """Return the panel after its button has adapted."""
    from napari_calm.train import adapt

    with monkeypatch.context() as patched:
        patched.setattr(adapt, "adapt_steps", fit_of_before)
        report = press(with_head, with_head.adapt.adapt)
    assert report.ending is Ending.DONE, report.message
    assert with_head.session.adaptation.helped
    return with_head


def click(qtbot, button):
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def n_drawn(plot):
    steps, _losses = plot.training.getData()
    return 0 if steps is None else len(steps)


def start_forecast(panel, press, start_frame=300):
    panel.forecast.horizon.setValue(2.0)
    panel.session.seek(start_frame / panel.session.recording.frame_rate_hz)
    report = press(panel, panel.forecast.forecast)
    assert report.ending is Ending.DONE, report.message
    return panel.session.forecast


def test_the_curve_grows_while_the_fit_runs_and_ends_with_the_verdict(with_head, press, fitted):
    panel, lengths = with_head, set()
    panel.job.progressed.connect(lambda _: lengths.add(n_drawn(panel.adapt.plot)))
    assert press(panel, panel.adapt.adapt).ending is Ending.DONE
    steps, losses = panel.adapt.plot.training.getData()
    np.testing.assert_array_equal(steps, np.arange(1, N_STEPS + 1))
    assert np.isfinite(losses).all()
    assert list(panel.adapt.plot.validation.getData()[0]) == [0, 20, 40]
    assert panel.adapt.plot.zero_shot.isVisible()
    assert len(lengths - {0, N_STEPS}) >= 1
    adaptation = panel.session.adaptation
    assert adaptation.verdict() in panel.adapt.result.text()
    assert panel.session.fitted_until_frame == int(0.7 * N_FRAMES)
    assert panel.adapt.adapted.isChecked()
    assert panel.session.model.adaptation is adaptation
    assert "adapted" in panel.model.result.text()
    fitted[:] = [adaptation]


def test_the_switch_changes_the_forecast_and_what_it_is_called_without_a_fit(
    viewer, adapted, press, qtbot
):
    panel, made = adapted, {}
    for button, kind in ((panel.adapt.zero_shot, ZERO_SHOT), (panel.adapt.adapted, ADAPTED)):
        click(qtbot, button)
        assert (panel.session.model.adaptation is not None) == (kind == ADAPTED)
        assert kind in panel.model.result.text()
        made[kind] = start_forecast(panel, press)
        assert panel.session.forecast_kind == kind
        assert panel.forecast.result.text().startswith(f"{kind.capitalize()} forecast.")
        qtbot.waitUntil(lambda kind=kind: f"{kind} forecast" in panel.traces._legend_text())
        layer = viewer.layers[f"{layers.FORECAST} ({kind})"]
        assert layer.metadata[layers.KIND_KEY] == kind
        assert layer.metadata[layers.MODEL_KEY] == panel.session.model.title
    assert "adapted to test" in made[ADAPTED].model_name
    assert "adapted" not in made[ZERO_SHOT].model_name
    assert not np.allclose(made[ADAPTED].mean, made[ZERO_SHOT].mean)
    zero_shot = panel.model.ready.forecast(
        panel.session.recording, start_frame=300, horizon_frames=12, samples=0
    )
    np.testing.assert_allclose(made[ZERO_SHOT].mean, zero_shot.mean, atol=1e-5)
    assert [layer.name for layer in viewer.layers if layers.FORECAST in layer.name] == [
        f"{layers.FORECAST} ({ADAPTED})"
    ]


def test_a_forecast_of_the_head_alone_has_bands_and_no_samples(with_head, press):
    forecast = start_forecast(with_head, press)
    assert forecast.samples.shape[0] == 0
    assert "bands" in with_head.traces._legend_text()


def test_a_fit_that_does_not_help_is_said_and_not_used(
    with_head, press, fit_of_before, monkeypatch
):
    from napari_calm.train import adapt

    panel = with_head

    def useless_steps(*args, **kwargs):
        found = yield from fit_of_before(*args, **kwargs)
        return replace(found, weights={}, adapted_mse=found.zero_shot_mse + 1)

    monkeypatch.setattr(adapt, "adapt_steps", useless_steps)
    assert press(panel, panel.adapt.adapt).ending is Ending.DONE
    assert "did not lower the error" in panel.adapt.result.text()
    assert panel.adapt.zero_shot.isChecked()
    assert not panel.adapt.adapted.isEnabled()
    assert "did not lower the error" in panel.adapt.adapted.toolTip()
    start_forecast(panel, press)
    assert panel.session.forecast_kind == ZERO_SHOT


def test_cancel_within_a_second_leaves_the_zero_shot_model(
    with_head, press, monkeypatch, qtbot
):
    from napari_calm.train import adapt

    panel, real = with_head, adapt.AdaptConfig
    config = real()
    endless = replace(config, optimiser=replace(config.optimiser, steps=100_000))
    monkeypatch.setattr(adapt, "AdaptConfig", lambda: endless)
    click(qtbot, panel.adapt.adapt)
    qtbot.waitUntil(lambda: len(panel.adapt._curve) > 3, timeout=20_000)
    assert not panel.adapt.adapt.isEnabled()
    assert not panel.model.model.isEnabled()
    asked_at = time.monotonic()
    with qtbot.waitSignal(panel.job.ended, timeout=3000) as ended:
        click(qtbot, panel.job_bar.cancel)
    assert time.monotonic() - asked_at < 1.0
    assert ended.args[0].ending is Ending.CANCELLED
    assert panel.session.adaptation is None
    assert panel.adapt.zero_shot.isChecked()
    assert panel.adapt.adapt.isEnabled()
    assert panel.model.model.isEnabled()
    assert not panel.adapt._redraw.isActive()
    start_forecast(panel, press)
    assert panel.session.forecast_kind == ZERO_SHOT


@pytest.fixture
def endless(with_head, monkeypatch):
    """Return the panel with a fit that goes on for longer than the tests."""
    from napari_calm.train import adapt

    config = adapt.AdaptConfig()
    config = replace(config, optimiser=replace(config.optimiser, steps=300))
    monkeypatch.setattr(adapt, "AdaptConfig", lambda: config)
    return with_head


def test_stop_and_keep_uses_the_best_so_far_and_marks_it(endless, press, qtbot):
    panel = endless
    assert not panel.job_bar.keep.isVisibleTo(panel)
    click(qtbot, panel.adapt.adapt)
    assert panel.job_bar.keep.isVisibleTo(panel)
    qtbot.waitUntil(lambda: len(panel.adapt._curve) > 45, timeout=60_000)
    with qtbot.waitSignal(panel.job.ended, timeout=30_000) as ended:
        click(qtbot, panel.job_bar.keep)
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    found = panel.session.adaptation
    assert found.helped
    assert found.adapted_mse < found.zero_shot_mse
    assert f"{found.adapted_mse:.3f} instead of" in panel.adapt.result.text()
    assert f"stopped early, after {found.stopped_at_step} steps" in panel.adapt.result.text()
    assert found.stopped_at_step == panel.adapt._curve[-1]["step"]
    assert panel.adapt.adapted.isChecked()
    assert not panel.job_bar.keep.isVisibleTo(panel)
    start_forecast(panel, press)
    assert panel.session.forecast_kind == ADAPTED


def test_nothing_is_kept_of_a_fit_stopped_before_its_first_validation(
    endless, monkeypatch, qtbot
):
    from napari_calm.train import adapt

    panel = endless
    monkeypatch.setattr(adapt, "VALIDATE_EVERY", 10_000)
    click(qtbot, panel.adapt.adapt)
    qtbot.waitUntil(lambda: len(panel.adapt._curve) > 3, timeout=60_000)
    with qtbot.waitSignal(panel.job.ended, timeout=30_000):
        click(qtbot, panel.job_bar.keep)
    assert panel.session.adaptation is None
    assert "before the fit was validated" in panel.adapt.result.text()
    assert panel.adapt.zero_shot.isChecked()


def test_another_recording_drops_the_adaptation_and_says_so(adapted):
    session = adapted.session
    session.set_recording(random_recording(n_neurons=3, seed=1))
    assert session.adaptation is None
    assert session.model.adaptation is None
    assert adapted.adapt.zero_shot.isChecked()
    assert not adapted.adapt.adapted.isEnabled()
    assert "dropped: another recording" in adapted.adapt.result.text()


def test_another_model_drops_the_adaptation_and_says_so(adapted):
    adapted.model.choose("other")
    assert adapted.session.adaptation is None
    assert adapted.session.model is None
    assert "dropped: another model" in adapted.adapt.result.text()


def test_a_result_for_a_replaced_recording_is_refused(
    with_head, press, fit_of_before, monkeypatch
):
    from napari_calm.train import adapt

    panel = with_head

    def replaced_meanwhile(*args, **kwargs):
        found = yield from fit_of_before(*args, **kwargs)
        panel.session._recording = random_recording(n_neurons=3, seed=1)
        return found

    monkeypatch.setattr(adapt, "adapt_steps", replaced_meanwhile)
    report = press(panel, panel.adapt.adapt)
    assert report.ending is Ending.ERROR
    assert "was replaced by another recording" in report.message
    assert panel.session.adaptation is None


def test_a_model_without_head_is_told_on_the_disabled_button(panel, recording):
    panel.session.set_recording(recording)
    assert not panel.adapt.adapt.isEnabled()
    assert "random has no forecast head" in panel.adapt.adapt.toolTip()


def test_a_saved_adaptation_is_loaded_for_its_neurons_only(adapted, qtbot, tmp_path):
    panel, session = adapted, adapted.session
    fitted = session.adaptation
    panel.adapt.save_to(tmp_path / "fit.safetensors")
    assert "Saved to" in panel.adapt.result.text()

    session.set_recording(session.recording)
    assert session.adaptation is None
    with qtbot.waitSignal(panel.job.ended, timeout=20_000) as ended:
        panel.adapt.start_loading(tmp_path / "fit.safetensors")
    assert ended.args[0].ending is Ending.DONE, ended.args[0].message
    assert session.adaptation.adapted_mse == fitted.adapted_mse
    assert session.model.adaptation is session.adaptation
    assert session.fitted_until_frame == fitted.until_frame

    session.set_recording(random_recording(n_neurons=3))
    with qtbot.waitSignal(panel.job.ended, timeout=20_000) as ended:
        panel.adapt.start_loading(tmp_path / "fit.safetensors")
    assert "its 3 neurons are not the 4" in ended.args[0].message
    assert session.adaptation is None
    (tmp_path / "broken.safetensors").write_bytes(b"no such thing")
    with qtbot.waitSignal(panel.job.ended, timeout=20_000) as ended:
        panel.adapt.start_loading(tmp_path / "broken.safetensors")
    assert "not readable as an adaptation" in ended.args[0].message


def test_an_unloaded_model_is_adapted_again_when_it_is_needed(adapted, press, monkeypatch):
    panel, base = adapted, adapted.model.ready
    panel.model.unload.click()
    assert not panel.model.source.is_loaded
    monkeypatch.setattr("napari_calm.model.checkpoint.load_model", lambda *_: base)
    start_forecast(panel, press)
    assert panel.session.forecast_kind == ADAPTED
    assert panel.session.model.adaptation is panel.session.adaptation


def test_the_score_here_stands_beside_the_simple_methods(adapted, press):
    from napari_calm.analysis.skill import skill_over_starts_steps
    from napari_calm.core.progress import run

    panel = adapted
    panel.forecast.horizon.setValue(2.0)
    assert press(panel, panel.forecast.here.score).ending is Ending.DONE
    text = panel.forecast.here.result.text()
    for kind, model in ((ZERO_SHOT, panel.model.ready), (ADAPTED, panel.session.model)):
        skill = run(
            skill_over_starts_steps(
                model,
                panel.session.recording,
                horizon_frames=12,
                first_share=(280 + 0.5) / N_FRAMES,
                samples=0,
            )
        )
        assert f"CalM, {kind}</td><td align='right'>{skill.mean_mse():.3f}<" in text
        for method in ("copy last", "AR", "mean"):
            assert f"{method}</td><td align='right'>{skill.mean_mse(method):.3f}<" in text
    assert text.startswith(f"Adapted. {skill.verdict()}")
    assert "may have seen" not in text
    panel.session.set_recording(random_recording(seed=3))
    assert panel.forecast.here.result.text() == ""


def test_a_fit_to_all_frames_looks_at_all_frames(with_head, press):
    panel = with_head
    panel.adapt.frames.setCurrentIndex(panel.adapt.frames.findData(FitFrames.ALL))
    press(panel, panel.adapt.adapt)
    assert panel.session.fitted_until_frame == N_FRAMES


def test_a_score_on_frames_that_the_fit_saw_says_so(adapted, press):
    panel = adapted
    panel.session.set_adaptation(replace(panel.session.adaptation, until_frame=N_FRAMES))
    press(panel, panel.forecast.here.score)
    assert "may have seen these frames" in panel.forecast.here.result.text()


def test_the_fit_sees_the_frames_that_were_chosen():
    recording = random_recording(n_frames=401)
    found = [frames.until_frame(recording, time_s=50.0) for frames in FitFrames]
    assert found == [280, 300, 401]


@pytest.mark.parametrize(
    ("until_frame", "first_scored", "is_honest"),
    [(0, 280, True), (280, 280, True), (333, 333, True), (401, 280, False), (None, 280, True)],
)
def test_what_is_scored_begins_where_the_fit_ended(until_frame, first_scored, is_honest):
    share, honest = scored_part(401, until_frame)
    assert (int(share * 401), honest) == (first_scored, is_honest)


def test_the_level_before_the_fit_is_a_line_of_its_own(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.show_curve([{"step": 1.0, "loss": 2.0}])
    assert not plot.zero_shot.isVisible()
    plot.show_curve([{"step": 0.0, "validation_loss": 1.5}, {"step": 1.0, "loss": 2.0}])
    assert plot.zero_shot.isVisible()
    assert plot.zero_shot.value() == 1.5


def test_an_adaptation_is_kept_beside_the_recording(tmp_path):
    beside = replace(random_recording(), source=str(tmp_path / "traces.npz"))
    assert adaptation_path(beside) == tmp_path / "test.adaptation.safetensors"
    layer = replace(random_recording(), source="layer 'movie'")
    assert str(adaptation_path(layer)) == "test.adaptation.safetensors"


def test_a_session_switches_only_to_what_there_is():
    session, told = Session(), []
    session.adaptation_changed.connect(lambda: told.append(session.adaptation_in_use))
    session.use_adaptation(True)
    assert session.adaptation_in_use is None
    assert told == []


def test_time_left_is_told_although_the_stage_names_its_loss(panel, qtbot):
    told = []
    panel.job.progressed.connect(lambda now: told.append(now.seconds_left))

    def steps():
        for step in range(20):
            time.sleep(0.06)
            yield Progress(step + 1, 20, f"Adapting (loss {1 / (step + 1):.3f})")

    with qtbot.waitSignal(panel.job.ended):
        panel.job.start(steps(), title="Adapt", on_done=print)
    assert told[-1] is not None


def test_the_button_fits_in_a_process_of_its_own(with_head, press):
    with_head.adapt.apart = True
    assert press(with_head, with_head.adapt.adapt, timeout=120_000).ending is Ending.DONE
    assert with_head.session.adaptation.recording_name == "test"
    assert len(with_head.adapt._curve) == 1 + N_STEPS


def test_a_fit_that_is_short_of_memory_is_taken_in_parts_and_says_so(
    with_head, press, memory, monkeypatch
):
    from napari_calm.train import adapt

    monkeypatch.setattr(adapt, "WHOLE_NEURON_WINDOWS", 1)
    optimiser = replace(adapt.AdaptConfig().optimiser, steps=20)
    config = replace(adapt.AdaptConfig(), optimiser=optimiser, batch_populations=2)
    monkeypatch.setattr(adapt, "AdaptConfig", lambda: config)
    panel, stages = with_head, set()
    panel.job.progressed.connect(lambda now: stages.add(now.progress.stage.partition(" (")[0]))
    memory(1)
    assert press(panel, panel.adapt.adapt).ending is Ending.DONE
    said = panel.adapt.result.text()
    assert panel.session.adaptation.verdict() in said
    assert "batches in up to 8 parts" in said
    assert "batches in up to 8 parts" in panel.model.result.text()
    assert "Adapting, batches in up to 8 parts" in stages
    assert panel.model.device.currentText() == "auto"
    assert panel.session.model.adaptation is panel.session.adaptation


def test_a_fit_that_does_not_fit_is_made_on_the_cpu_which_is_chosen_and_said(
    with_head, press, memory, monkeypatch
):
    import torch

    from napari_calm.train import adapt

    monkeypatch.setattr(adapt, "WHOLE_NEURON_WINDOWS", 1)
    panel, model = with_head, with_head.model.ready

    def most(_n_calls):
        told = panel.model._stepped_down
        return 0 if torch.is_grad_enabled() and len(panel.adapt._curve) > 5 and not told else 9

    memory(most)
    monkeypatch.setattr("napari_calm.model.checkpoint.load_model", lambda *_: model)
    assert press(panel, panel.adapt.adapt).ending is Ending.DONE
    said = panel.adapt.result.text()
    assert panel.session.adaptation.verdict() in said
    assert "done on the CPU" in said
    assert "ran on the CPU, which is chosen now" in panel.model.result.text()
    assert panel.model.device.currentText() == "cpu"
    assert panel.session.model.adaptation is panel.session.adaptation
    assert panel.adapt.adapted.isChecked()
    # What is drawn is the second fit alone.
    assert [row["step"] for row in panel.adapt._curve] == list(range(N_STEPS + 1))
    # Another fit is not said to have been short of memory.
    panel.session.set_adaptation(replace(panel.session.adaptation, adapted_mse=0.1))
    assert "CPU" not in panel.adapt.result.text()
