import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from napari_calm.core.errors import CheckpointError, ConfigError
from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.io.traces import write_recording
from napari_calm.model.calm import CalmModel
from napari_calm.model.checkpoint import load_model
from napari_calm.model.config import PreprocessingConfig, TokenizerConfig
from napari_calm.model.tokenizer import Quantizer, Tokenizer
from napari_calm.train import dynamics_training, tokenizer_training
from napari_calm.train.calibrate import calibrate
from napari_calm.train.config import OptimiserConfig, pretrain_config, read_pretrain_config
from napari_calm.train.data import WindowSampler
from napari_calm.train.dynamics_training import (
    first_rows,
    head_forecast,
    nearest_codes,
    own_rows,
    token_noise,
    with_token_noise,
)
from napari_calm.train.model_card import held_back_skills_steps
from napari_calm.train.optimise import learning_rate_at, make_optimiser
from napari_calm.train.pretrain import pretrain, pretrain_steps
from napari_calm.train.tokenizer_loss import usage_entropy
from napari_calm.train.tokenizer_training import revive_dead_codes, tokenizer_quality
from napari_calm.train.window_batch import batches_of_equal_size

CONFIG = (Path(__file__).parents[1] / "data" / "tiny.toml").read_text()


# Of a training about which only its beginning or its papers matter.
BRIEF = (
    CONFIG.replace("steps = 40", "steps = 12")
    .replace("steps = 30", "steps = 4")
    .replace("validate_every = 10", "validate_every = 4")
)


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the configuration, the model that came of it and its folder, trained once."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.toml").write_text(CONFIG)
    config = read_pretrain_config(folder / "tiny.toml")
    return config, pretrain(config, folder / "first", device="cpu"), folder / "first"


def stopped_after(steps, n):
    for _ in range(n):
        next(steps)
    steps.close()


@pytest.mark.parametrize("killed_after", [23, 55])
def test_a_killed_training_resumed_equals_one_that_was_not(trained, tmp_path, killed_after):
    config, whole, folder = trained
    stopped_after(pretrain_steps(config, tmp_path / "parts", device="cpu"), killed_after)
    resumed = pretrain(config, tmp_path / "parts", device="cpu")
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(tensor, resumed.state_dict()[name], rtol=0, atol=0, msg=name)
    for curve in ("tokenizer.csv", "dynamics.csv"):
        pd.testing.assert_frame_equal(
            pd.read_csv(folder / "training" / curve),
            pd.read_csv(tmp_path / "parts" / "training" / curve),
        )


def test_training_lowers_both_losses_and_leaves_a_checkpoint(trained):
    _, _, out = trained
    tokenizer = pd.read_csv(out / "training" / "tokenizer.csv")
    dynamics = pd.read_csv(out / "training" / "dynamics.csv")
    assert tokenizer["reconstruction"].iloc[-5:].mean() < tokenizer["reconstruction"].iloc[0]
    assert dynamics["nats"].iloc[-5:].mean() < 0.98 * dynamics["nats"].iloc[:3].mean()
    errors = dynamics["squared_error"]
    assert errors.iloc[-10:].mean() < errors.iloc[:10].mean()
    card = (out / "README.md").read_text()
    assert f"unexplained: {tokenizer['validation_unexplained'].iloc[-1]:.4g}" in card
    for method in ("CalM", "copy last", "AR", "mean"):
        assert f"| {method} |" in card
    assert load_model(out, device="cpu").name == "tiny"


def test_a_folder_of_recordings_of_different_sizes_and_rates_is_enough(config_file, tmp_path):
    rng = np.random.default_rng(0)
    for name, n_neurons, n_frames, rate in (("a", 3, 200, 6.0), ("b", 12, 300, 20.0)):
        traces = np.cumsum(rng.normal(size=(n_neurons, n_frames)), axis=1)
        write_recording(Recording(traces, rate), tmp_path / "recordings" / f"{name}.npz")
    start, _ = BRIEF.split("[[data.simulated]]")
    config_file.write_text(start + '[data]\nfolder = "recordings"\n')
    pretrain(read_pretrain_config(config_file), tmp_path / "model", device="cpu")
    assert "2 recordings" in (tmp_path / "model" / "README.md").read_text()


def test_another_configuration_does_not_continue_a_training(config_file, tmp_path):
    config_file.write_text(BRIEF)
    config = read_pretrain_config(config_file)
    stopped_after(pretrain_steps(config, tmp_path / "model", device="cpu"), 6)
    config_file.write_text(BRIEF.replace("seed = 3", "seed = 4"))
    other = read_pretrain_config(config_file)
    with pytest.raises(ConfigError, match="another configuration"):
        pretrain(other, tmp_path / "model", device="cpu")
    pretrain(other, tmp_path / "model", device="cpu", restart=True)


def test_a_damaged_training_state_is_explained(config_file, tmp_path):
    config = read_pretrain_config(config_file)
    stopped_after(pretrain_steps(config, tmp_path / "model", device="cpu"), 6)
    (tmp_path / "model" / "training" / "tokenizer.pt").write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="--restart"):
        pretrain(config, tmp_path / "model", device="cpu")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 16", "widht = 16", "unknown widht"),
        ("steps = 40", "steps = 0", "steps"),
        ("steps = 40", "steps = 6.5", "expected int"),
        ("steps = 40", "steps = 10", "codebook would never be trained"),
        ("batch_traces = 32", "batch_traces = 0", "expected 1 or more"),
        ("seed = 3", "seed = -1", "expected 0 or more"),
        ("save_every = 5", "save_every = 0", "expected 1 or more"),
        ("learning_rate = 3e-3 }", "learning_rate = nan }", "finite"),
        ("[[data.simulated]]", "[[data.simulate]]", "unknown simulate"),
        ("max_frames = 32", "max_frames = 33", "must be a multiple"),
        ("n_codes = 16\nn_layers", "n_codes = 17\nn_layers", "must be equal"),
        ('name = "tiny"', "name = ", "not a TOML file"),
    ],
)
def test_a_wrong_setting_is_named(config_file, old, new, message):
    config_file.write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=message) as error:
        read_pretrain_config(config_file)
    assert str(config_file) in str(error.value)


def test_a_missing_configuration_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pretrain_config(tmp_path / "none.toml")


def test_recordings_that_are_too_short_are_said_to_be():
    short = Recording(np.random.default_rng(0).normal(size=(3, 60)), frame_rate_hz=6.0)
    settings = PreprocessingConfig(context_frames=48, max_frames=64)
    with pytest.raises(ConfigError, match="none of 1 recordings is long enough"):
        WindowSampler([short], settings, 0.15)


def test_no_validation_frame_enters_training():
    traces = np.random.default_rng(0).normal(size=(4, 400))
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    changed = traces.copy()
    changed[:, 340:] += 100.0
    drawn = []
    for values in (traces, changed):
        sampler = WindowSampler([Recording(values, 6.0)], settings, 0.15)
        rng = np.random.default_rng(1)
        windows = [sampler.training_window(rng, 3) for _ in range(300)]
        drawn.append([(w.units, w.portrait.neurons, w.history) for w in windows])
    for before, after in zip(*drawn, strict=True):
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)


def test_validation_horizons_lie_in_the_part_that_training_never_sees():
    traces = np.random.default_rng(0).normal(size=(4, 400))
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    changed = traces.copy()
    changed[:, 340:] += 100.0
    drawn = [
        WindowSampler([Recording(values, 6.0)], settings, 0.15).validation_windows(4, 3, seed=0)
        for values in (traces, changed)
    ]
    assert len(drawn[0]) == 4
    for before, after in zip(*drawn, strict=True):
        assert (before.future != after.future).all()


def test_the_card_scores_only_the_validation_part(monkeypatch):
    started = []

    def noted(model, recording, **request):
        started.append(request["start_frame"])
        return (yield from real(model, recording, **request))

    real = CalmModel.forecast_steps
    monkeypatch.setattr(CalmModel, "forecast_steps", noted)
    traces = np.random.default_rng(0).normal(size=(4, 400))
    model = CalmModel.random()
    skills = run(held_back_skills_steps(model, [Recording(traces, 6.0)], 0.15))
    assert len(skills) == 1
    assert min(started) >= 340


def test_training_replaces_tokens_and_starts_the_codebook_at_the_latents(
    config_file, tmp_path, monkeypatch
):
    noisy, started = [], []
    noise, start = dynamics_training.with_token_noise, tokenizer_training._start_codebook

    def noted_noise(tokens, *arguments):
        replaced = noise(tokens, *arguments)
        noisy.append((replaced != tokens).double().mean().item())
        return replaced

    def noted_start(tokenizer, *arguments):
        before = tokenizer.quantizer.codebook.clone()
        start(tokenizer, *arguments)
        started.append(not torch.equal(before, tokenizer.quantizer.codebook))

    monkeypatch.setattr(dynamics_training, "with_token_noise", noted_noise)
    monkeypatch.setattr(tokenizer_training, "_start_codebook", noted_start)
    pretrain(read_pretrain_config(config_file), tmp_path / "model", device="cpu")
    assert started == [True]
    assert np.mean(noisy) == pytest.approx(0.1, abs=0.03)


def test_windows_are_normalised_as_in_a_forecast():
    traces = np.random.default_rng(0).normal(2.0, 3.0, size=(1, 400)).astype(np.float32)
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    sampler = WindowSampler([Recording(traces, 6.0)], settings, 0.15)
    for window in sampler.validation_windows(3, 1, seed=0):
        context = traces[:, window.start - 16 : window.start]
        expected = traces[:, window.start - 16 : window.start + 16] - context.mean()
        expected /= max(traces[:, :340].std(), context.std())
        np.testing.assert_allclose(window.units, expected, rtol=1e-4, atol=1e-5)


def test_training_windows_are_told_of_their_neurons_before_their_start_only():
    traces = np.random.default_rng(0).normal(size=(2, 400)).astype(np.float32)
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    sampler = WindowSampler([Recording(traces, 6.0)], settings, 0.15)
    rng = np.random.default_rng(0)
    windows = [sampler.training_window(rng, 2) for _ in range(200)]
    known = np.array([window.history.shape[1] for window in windows])
    starts = np.array([window.start for window in windows])
    assert (known <= starts).all()
    # Half of them know all but the few frames since the last of 48 ends.
    assert 0.4 < (starts - known < 340 // 48).mean() < 0.75
    assert len(set(known)) < 60
    assert starts.max() <= 340 - 16


def test_windows_of_the_same_history_and_neurons_share_one_continuation():
    traces = np.random.default_rng(0).normal(size=(3, 400)).astype(np.float32)
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    sampler = WindowSampler([Recording(traces, 6.0)], settings, 0.15)
    rng = np.random.default_rng(0)
    windows = [sampler.training_window(rng, 3) for _ in range(120)]
    by_history = {}
    for window in windows:
        first = by_history.setdefault(window.history.shape[1], window)
        assert window.continuation is first.continuation
        alone = window.portrait.continuation(np.arange(3))
        np.testing.assert_allclose(window.continuation.step, alone.step, atol=1e-5)
    assert len({id(window.continuation) for window in windows}) == len(by_history) > 10


def test_the_learning_rate_warms_up_and_decays():
    config = OptimiserConfig(steps=100, learning_rate=1.0, warmup_share=0.1)
    rates = [learning_rate_at(step, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert np.argmax(rates) in (9, 10)
    assert rates[55] == pytest.approx(0.5, abs=0.01)
    assert rates[-1] < 0.01


def test_only_matrices_decay():
    tokenizer = Tokenizer(TokenizerConfig(width=8, n_heads=2))
    decayed, kept = make_optimiser(tokenizer, OptimiserConfig(steps=1)).param_groups
    assert all(p.ndim >= 2 for p in decayed["params"])
    assert all(p.ndim < 2 for p in kept["params"])
    assert len(decayed["params"]) + len(kept["params"]) == len(list(tokenizer.parameters()))


def test_token_noise_takes_near_codes_as_often_as_asked():
    codebook = torch.arange(20.0)[:, None]
    neighbours = nearest_codes(codebook, 2)
    assert sorted(neighbours[10].tolist()) == [9, 11]
    tokens = torch.full((100, 100), 10)
    noise = token_noise((100, 100), 2, 0.1, np.random.default_rng(0))
    noisy = with_token_noise(tokens, neighbours, noise)
    assert set(noisy.unique().tolist()) == {9, 10, 11}
    assert (noisy != 10).double().mean().item() == pytest.approx(0.1, abs=0.015)


def test_dead_codes_come_back_to_life_where_latents_are():
    quantizer = Quantizer(8, 3)
    quantizer.ema_count.copy_(torch.tensor([5.0, 5, 5, 5, 5, 5, 0.1, 0.0]))
    before = quantizer.codebook.clone()
    latents = 10 + torch.randn(50, 3)
    assert revive_dead_codes(quantizer, latents, 0.2, np.random.default_rng(0)) == 2
    assert torch.equal(quantizer.codebook[:6], before[:6])
    assert (quantizer.codebook[6:] > 5).all()


def test_usage_entropy_is_one_for_even_use_and_near_zero_for_one_code():
    even = torch.full((64, 8), 100.0)
    even[torch.arange(64), torch.arange(64) % 8] = 1.0
    single = torch.full((64, 8), 100.0)
    single[:, 3] = 1.0
    assert usage_entropy(even).item() == pytest.approx(1.0, abs=1e-3)
    assert usage_entropy(single).item() < 1e-3


def test_tokenizer_quality_is_unexplained_variance():
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(width=8, n_heads=2, n_codes=8)).eval()
    x = torch.randn(6, 32)
    with torch.no_grad():
        reconstruction = tokenizer(x).reconstruction
    expected = 1 - np.mean(
        1 - ((reconstruction - x) ** 2).sum().item()
        / ((x - x.mean(1, keepdim=True)) ** 2).sum().item()
    )  # fmt: skip
    assert tokenizer_quality(tokenizer, x)["validation_unexplained"] == pytest.approx(expected)


def test_plain_values_make_the_same_configuration():
    config = pretrain_config(tomllib.loads(CONFIG))
    assert config.model.context_tokens == 4
    assert config.dynamics_training.optimiser.steps == 30


def test_own_rows_are_those_of_the_recording_and_are_left_out_as_often_as_asked():
    rng = np.random.default_rng(0)
    recordings = [Recording(rng.normal(size=(n, 200)), 6.0) for n in (3, 5, 4)]
    settings = PreprocessingConfig(context_frames=16, max_frames=32)
    sampler = WindowSampler(recordings, settings, 0.15)
    model = CalmModel.random(context_frames=16, max_frames=32)
    windows = [sampler.training_window(rng, 3) for _ in range(60)]
    first_row = first_rows(sampler, model.device)
    assert first_row.tolist() == [0, 3, 8]
    unknown = 0
    for batch in batches_of_equal_size(model, windows):
        neurons, sessions = own_rows(batch, first_row, rng.random(len(batch)) < 0.4)
        for row, session, number, own in zip(
            neurons, sessions, batch.recordings, batch.neurons, strict=True
        ):
            if session < 0:
                unknown += 1
                assert (row < 0).all()
            else:
                assert session == number
                assert torch.equal(row - first_row[number], own)
    assert 0.2 < unknown / 60 < 0.6
    assert own_rows(batch, first_row, None) is None


def test_a_training_with_rows_keeps_one_for_each_neuron(config_file, tmp_path):
    text = CONFIG.replace("population = 6", "population = 6\nrow_dropout = 0.5")
    config_file.write_text(text)
    model = pretrain(read_pretrain_config(config_file), tmp_path / "model", device="cpu")
    rows = load_model(tmp_path / "model", device="cpu").dynamics.neuron_embed.weight
    assert rows.shape[0] == model.config.dynamics.n_neurons >= 10
    text = text.replace("learning_rate = 3e-3", "learning_rate = 1e-9")
    config_file.write_text(text)
    still = pretrain(read_pretrain_config(config_file), tmp_path / "still", device="cpu")
    moved = (rows - still.dynamics.neuron_embed.weight).detach().abs().mean(dim=1)
    assert (moved > 1e-3).all()


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.toml")), ids=lambda p: p.stem)
def test_the_configurations_of_the_project_are_valid(path):
    assert read_pretrain_config(path).name == path.stem


def test_the_checkpoint_names_the_real_recordings_it_was_trained_on(config_file, tmp_path):
    config_file.write_text(BRIEF)
    rng = np.random.default_rng(0)
    given = [Recording(rng.normal(size=(4, 200)), 6.0, name=name) for name in ("a", "b")]
    pretrain(read_pretrain_config(config_file), tmp_path / "m", recordings=given, device="cpu")
    assert load_model(tmp_path / "m", device="cpu").config.trained_on == ("a", "b")


def test_calibrated_bands_hold_their_share_where_they_were_calibrated():
    rng = np.random.default_rng(0)
    recordings = [Recording(rng.normal(size=(20, 1500)), 6.0)]
    model = CalmModel.random(head=True, context_frames=16, max_frames=32)
    with torch.no_grad():
        model.forecast_head.spread_out.bias.fill_(-1.0)  # bands too narrow
        model.forecast_head.spread_out.bias[2::5] = 0.0
        model.forecast_head.skip.zero_()
    sampler = WindowSampler(recordings, model.config.preprocessing, 0.3)
    windows = sampler.validation_windows(40, 20, seed=0)

    def coverage():
        found = []
        for batch in batches_of_equal_size(model, windows):
            hidden = model.dynamics(batch.tokens[:, :, :4], frames=batch.frames[:, :, :4])
            forecast, truth, _ = head_forecast(model, batch, hidden, [3])
            low, high = forecast.quantiles[..., 0], forecast.quantiles[..., -1]
            found.append(((truth > low) & (truth < high)).double().mean().item())
        return np.mean(found)

    assert coverage() < 0.6
    calibrate(model, windows)
    assert coverage() == pytest.approx(0.9, abs=0.02)


def test_a_training_that_starts_from_a_model_has_its_weights_at_first(
    trained, config_file, tmp_path
):
    _, first, folder = trained
    shutil.copytree(folder, tmp_path / "first")
    still = CONFIG.replace("learning_rate = 3e-3", "learning_rate = 1e-9").replace(
        'name = "tiny"', 'name = "second"\nstart_from = "first"'
    )
    config_file.write_text(still)
    config = read_pretrain_config(config_file)
    assert config.start_from == str(config_file.parent / "first")
    second = pretrain(config, tmp_path / "second", device="cpu")
    for name, weights in first.dynamics.state_dict().items():
        torch.testing.assert_close(
            second.dynamics.state_dict()[name], weights, atol=1e-5, rtol=0
        )
    assert "started from" in (tmp_path / "second" / "README.md").read_text()
    config_file.write_text(still.replace("n_layers = 1", "n_layers = 2"))
    with pytest.raises(ConfigError, match=r"start_from: dynamics.n_layers is 1 in tiny, but 2"):
        pretrain(read_pretrain_config(config_file), tmp_path / "third", device="cpu")
