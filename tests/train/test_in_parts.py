"""What does not fit into memory is taken in parts, and is the same but for rounding."""

import copy
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_calm.core.errors import OutOfMemory, is_out_of_memory
from napari_calm.core.progress import run
from napari_calm.core.recording import Recording
from napari_calm.model.calm import CalmModel
from napari_calm.train import adapt as adapting
from napari_calm.train import dynamics_training, in_parts, model_card, tokenizer_training
from napari_calm.train import pretrain as pretraining
from napari_calm.train.adapt import adapt_steps
from napari_calm.train.calibrate import calibrate
from napari_calm.train.config import AdaptConfig, OptimiserConfig, read_pretrain_config
from napari_calm.train.data import WindowSampler
from napari_calm.train.dynamics_training import train_dynamics_steps
from napari_calm.train.in_parts import InParts
from napari_calm.train.pretrain import pretrain_steps

TINY = Path(__file__).parents[1] / "data" / "tiny.toml"
ON_CPU = ("The GPU has too little memory for this: done on the CPU, which is slower.", True)


def test_parts_double_cover_every_window_once_and_stay():
    told, undone, sizes = [], [], []
    parts = InParts(lambda *said: told.append(said))

    def take(part):
        sizes.append(part.stop - part.start)
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return list(range(part.start, part.stop))

    found = parts.taken(10, take, undo=lambda: undone.append(len(sizes)))
    assert list(chain(*found)) == list(range(10))
    assert sizes == [10, 5, 2, 3, 2, 3]
    assert undone == [1, 2]
    assert parts.n_parts == 4
    assert len(told) == 1
    assert "in up to 4 parts" in told[0][0]
    assert not told[0][1]
    sizes.clear()
    assert list(chain(*parts.taken(10, take))) == list(range(10))
    assert sizes == [2, 3, 2, 3]
    assert len(told) == 1


def test_where_one_window_is_too_much_it_is_said():
    asked = []

    def take(part):
        asked.append(part)
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(OutOfMemory, match=r"one window at a time\. Use the CPU"):
        InParts(print).taken(3, take)
    assert asked == [slice(0, 3), slice(0, 1), slice(0, 1)]


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (torch.OutOfMemoryError("no words"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"),
            True,
        ),
        (OutOfMemory("not even one window"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (MemoryError("out of memory"), False),
    ],
)
def test_little_memory_of_an_accelerator_is_told_from_other_errors(error, is_it):
    assert is_out_of_memory(error) == is_it


def test_another_error_is_not_taken_for_little_memory():
    def take(_part):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        InParts(print).taken(4, take)


@pytest.fixture(scope="module", autouse=True)
def few_windows():
    """Spare what is only measured most of its time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dynamics_training, "VALIDATION_WINDOWS", 9)
        patched.setattr(pretraining, "VALIDATION_WINDOWS", 3)
        patched.setattr(tokenizer_training, "VALIDATION_WINDOWS", 3)
        patched.setattr(tokenizer_training, "KMEANS_LATENTS", 500)
        patched.setattr(model_card, "STARTS_PER_RECORDING", 1)
        patched.setattr(adapting, "VALIDATION_WINDOWS", 6)
        patched.setattr(adapting, "VALIDATE_EVERY", 4)
        patched.setattr(adapting, "WHOLE_NEURON_WINDOWS", 1)
        # It goes through all of Python's memory.
        patched.setattr(in_parts, "free_memory", lambda: None)
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Return a training of few steps, of windows of three sizes, without dropout."""
    text = (
        TINY.read_text()
        .replace("dropout = 0.1", "dropout = 0.0")
        .replace(
            "mlp_width = 32", "mlp_width = 32\nembedding_dropout = 0.0\nattention_dropout = 0.0"
        )
        .replace("recent_frames = 8", "recent_frames = 8\ndropout = 0.0")
        .replace("validate_every = 10", "validate_every = 4")
        .replace("batch_populations = 2", "batch_populations = 7\nrow_dropout = 0.4")
        .replace("plain_steps = 10", "plain_steps = 2")
        .replace("steps = 40", "steps = 6")
        .replace("steps = 30", "steps = 6")
    )
    file = tmp_path_factory.mktemp("config") / "config.toml"
    file.write_text(text)
    config = read_pretrain_config(file)
    return replace(config, data=replace(config.data, simulated=()))


@pytest.fixture(scope="module")
def recordings():
    rng = np.random.default_rng(0)
    return [Recording(rng.normal(size=(n, 200)), 6.0, name=f"{n}") for n in (3, 6, 9)]


def of_dynamics(config, recordings, folder, **changes):
    """Train the dynamics alone.

    Return the weights before and after, the curve, the stages and what was told.
    """
    sampler = WindowSampler(recordings, config.preprocessing, config.data.validation_share)
    parts = replace(
        config.dynamics, n_neurons=sum(map(len, sampler.traces)), n_sessions=3, **changes
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CalmModel(replace(config.model, dynamics=parts))
    before = copy.deepcopy(model.state_dict())
    told, curve, stages = [], [], set()
    steps = train_dynamics_steps(
        model,
        sampler,
        config,
        folder / "dynamics.pt",
        curve=curve,
        in_parts=InParts(lambda *said: told.append(said)),
    )
    run(steps, lambda progress: stages.add(progress.stage.partition(" (")[0]))
    return before, model.state_dict(), curve, stages, told


def distance(one, other):
    """Return how far apart two sets of weights are but for one that nothing depends on."""
    squares = [
        (weight - other[name]).square().sum()
        for name, weight in one.items()
        # It is added to all scores alike, so its gradient is nothing but rounding.
        if name != "forecast_head.pair_bias.2.bias"
    ]
    return sum(squares).sqrt()


@pytest.fixture(scope="module")
def at_once(config, recordings, tmp_path_factory):
    """Return what comes of the dynamics with all the memory that they want."""
    return of_dynamics(config, recordings, tmp_path_factory.mktemp("at once"))


@pytest.mark.parametrize("backward", [False, True])
def test_a_training_in_parts_is_the_same_training(
    config, recordings, at_once, tmp_path, memory, backward
):
    asked = memory(2, backward=backward)
    _, weights, curve, stages, told = of_dynamics(config, recordings, tmp_path)
    before, whole_weights, whole_curve, whole_stages, told_of_whole = at_once
    # Single weights whose gradient is next to nothing are moved by its rounding.
    assert distance(weights, whole_weights) < 1e-3 * distance(whole_weights, before)
    assert (whole_weights["dynamics.neuron_embed.weight"] != 0).all()
    for row, whole_row in zip(curve, whole_curve, strict=True):
        assert row == pytest.approx(whole_row, rel=1e-4)
    assert told_of_whole == []
    assert whole_stages == {"Training the dynamics"}
    assert stages == {"Training the dynamics, batches in up to 4 parts"}
    assert len(told) == 1
    assert "in up to 4 parts" in told[0][0]
    assert max(asked[-20:]) <= 2


def test_the_parts_of_a_step_draw_dropout_from_its_own_seeds(
    config, recordings, tmp_path, memory
):
    memory(4)
    one, other = (
        of_dynamics(config, recordings, tmp_path / name, dropout=0.3)[1] for name in "ab"
    )
    for name, weight in one.items():
        assert torch.equal(weight, other[name]), name


def test_bands_are_calibrated_in_parts_as_at_once(memory):
    model = CalmModel.random(head=True, context_frames=16, max_frames=32)
    traces = np.random.default_rng(0).normal(size=(5, 600))
    sampler = WindowSampler([Recording(traces, 6.0)], model.config.preprocessing, 0.3)
    windows = sampler.validation_windows(12, 5, seed=0)
    calibrate(model, windows)
    at_once = model.forecast_head.stretch.clone()
    memory(1)
    parts = InParts(print)
    calibrate(model, windows, in_parts=parts)
    assert parts.n_parts == 8
    torch.testing.assert_close(model.forecast_head.stretch, at_once, rtol=1e-4, atol=1e-4)


@pytest.fixture
def places(monkeypatch):
    """Note on which devices a training was tried."""
    places, real = [], pretraining.choose_device

    def choose_device(name):
        places.append(name)
        return real("cpu")

    monkeypatch.setattr(pretraining, "choose_device", choose_device)
    return places


@pytest.fixture(scope="module")
def whole(config, recordings, tmp_path_factory):
    """Return model, curves and folder of a training that had all the memory it wanted."""
    folder, curves = tmp_path_factory.mktemp("whole"), {}
    steps = pretrain_steps(
        config,
        folder,
        recordings=recordings,
        device="cpu",
        curves=curves,
        tell=lambda *said: pytest.fail(f"told {said}"),
    )
    return run(steps), curves, folder


@pytest.mark.parametrize(
    ("stage", "n_rows", "in_validation", "n_saved"),
    [("tokenizer", 4, False, 4), ("dynamics", 3, False, 3), ("dynamics", 4, True, 4)],
)
def test_the_cpu_goes_on_from_the_very_step(
    config,
    recordings,
    whole,
    tmp_path,
    memory,
    places,
    monkeypatch,
    stage,
    n_rows,
    in_validation,
    n_saved,
):
    model, curves, folder = whole
    seen, told, at_move, stages = {}, [], [], set()

    def is_short():
        is_there = len(seen.get(stage, ())) >= n_rows
        return places[-1] == "gpu" and is_there and torch.is_grad_enabled() != in_validation

    def tokenizer_loss(*arguments, **options):
        found = real_loss(*arguments, **options)
        # By then the codebook has moved.
        if stage == "tokenizer" and is_short():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found

    real_loss = tokenizer_training.tokenizer_loss
    monkeypatch.setattr(tokenizer_training, "tokenizer_loss", tokenizer_loss)
    if stage == "dynamics":
        memory(lambda _n_calls: 0 if is_short() else 100)

    def on_progress(progress):
        stages.add(progress.stage.partition(" (")[0])
        if "going on on the CPU" in progress.stage:
            file = tmp_path / "training" / f"{stage}.pt"
            at_move.extend((torch.load(file, weights_only=True)["step"], len(seen[stage])))

    steps = pretrain_steps(
        config,
        tmp_path,
        recordings=recordings,
        device="gpu",
        curves=seen,
        tell=lambda *said: told.append(said),
    )
    moved = run(steps, on_progress)
    assert places == ["gpu", "cpu"]
    assert told[-1] == ON_CPU
    assert "Training the dynamics on the CPU" in stages
    # What is watched has whole rows only.
    assert at_move == [n_saved, n_saved - in_validation]
    for name, weight in model.state_dict().items():
        assert torch.equal(moved.state_dict()[name], weight), name
    assert seen == curves
    assert (tmp_path / "README.md").read_text() == (folder / "README.md").read_text()


def test_a_training_that_fits_nowhere_keeps_its_state(
    config, recordings, tmp_path, memory, places
):
    seen = {}
    memory(lambda _n_calls: 0 if len(seen.get("dynamics", ())) >= 3 else 100)
    steps = pretrain_steps(
        config, tmp_path, recordings=recordings, device="gpu", curves=seen, tell=print
    )
    with pytest.raises(OutOfMemory, match="fewer neurons a window"):
        run(steps)
    assert places == ["gpu", "cpu"]
    state = torch.load(tmp_path / "training" / "dynamics.pt", weights_only=True)
    assert state["step"] == 3


def test_a_state_that_does_not_fit_into_memory_is_not_called_damaged(
    config, recordings, tmp_path, monkeypatch
):
    request = {"recordings": recordings, "device": "cpu"}
    begun = pretrain_steps(config, tmp_path, **request)
    next(progress for progress in begun if "tokenizer" in progress.stage)
    begun.close()
    real, places = torch.load, []

    def load(*arguments, map_location, **options):
        places.append(map_location)
        if len(places) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments, map_location=map_location, **options)

    monkeypatch.setattr(torch, "load", load)
    going_on = pretrain_steps(config, tmp_path, **request)
    with pytest.warns(RuntimeWarning, match="done on the CPU"):
        next(progress for progress in going_on if "tokenizer on the CPU" in progress.stage)
    going_on.close()
    assert len(places) == 2


FIT = AdaptConfig(OptimiserConfig(steps=8, learning_rate=3e-3), batch_populations=5)


@pytest.fixture(scope="module")
def walk():
    rng = np.random.default_rng(0)
    traces = np.abs(np.cumsum(rng.normal(size=(4, 400)), axis=1)) * 0.05
    return Recording(traces * np.arange(1, 5)[:, None], 6.0, name="walk")


@pytest.fixture(scope="module")
def fitted(walk):
    """Return an adaptation and its curve, made with all the memory it wants."""
    return fit(walk, lambda *said: pytest.fail(f"told {said}"))


def fit(recording, tell):
    model = CalmModel.random(seed=0, head=True, context_frames=16, max_frames=48)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    curve = [{"step": 0.0}]
    found = run(
        adapt_steps(model, recording, until_frame=320, config=FIT, curve=curve, tell=tell)
    )
    assert found.helped
    return found, curve


def test_a_fit_in_parts_is_the_same_fit(walk, fitted, memory):
    told = []
    asked = memory(2)
    found, curve = fit(walk, lambda *said: told.append(said))
    whole, whole_curve = fitted
    assert max(asked[-20:]) <= 2
    # The second fit, on all frames, knows of the first one's parts.
    assert [said.partition(" parts")[0][-1] for said, _ in told] == ["4"]
    assert found.adapted_mse == pytest.approx(whole.adapted_mse, rel=1e-4)
    for name, weight in whole.weights.items():
        torch.testing.assert_close(found.weights[name], weight, rtol=1e-3, atol=1e-4)
    assert curve[-1]["validation_loss"] == pytest.approx(
        whole_curve[-1]["validation_loss"], rel=1e-4
    )


def test_a_fit_that_does_not_fit_begins_again_on_the_cpu(walk, fitted, memory):
    told, n_steps = [], []
    # Too small for the sixth step.

    def most(_n_calls):
        n_steps.extend([1] * torch.is_grad_enabled())
        return 0 if not told and len(n_steps) > 5 else 100

    memory(most)
    found, curve = fit(walk, lambda *said: told.append(said))
    assert told == [ON_CPU]
    whole, whole_curve = fitted
    for name, weight in whole.weights.items():
        assert torch.equal(found.weights[name], weight), name
    assert curve == whole_curve


def test_a_copy_on_the_cpu_shares_nothing_with_its_model():
    model = CalmModel.random(head=True)
    copied = adapting._on_cpu(model)
    of_copy = copied.state_dict(keep_vars=True)
    for name, value in model.state_dict(keep_vars=True).items():
        assert torch.equal(value, of_copy[name])
        assert value.requires_grad == of_copy[name].requires_grad
        assert value.numel() == 0 or value.data_ptr() != of_copy[name].data_ptr()
    assert not copied.training
