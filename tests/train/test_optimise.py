import numpy as np
import pytest
import torch
from torch import nn

from napari_calm.core.progress import run
from napari_calm.train.config import OptimiserConfig
from napari_calm.train.in_parts import in_one_piece
from napari_calm.train.optimise import optimise_steps


def fitted(config, validation_losses, *, validate_every=1):
    """Train one number towards 3 and return it, its history and the curve."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    history, losses = [], iter(validation_losses)

    def loss_of(_rng, _step):
        history.append(module.weight.item())
        return (module.weight - 3).square().sum(), {}

    def validate():
        return {"validation_loss": next(losses)}

    curve = run(
        optimise_steps(
            module, config, in_one_piece(loss_of), stage="", seed=0,
            validate=validate, validate_every=validate_every,
        )
    )  # fmt: skip
    return module.weight.item(), history, curve


def settings(**changes):
    values = {"steps": 10, "learning_rate": 0.1, "weight_decay": 0.0, "warmup_share": 0.0}
    return OptimiserConfig(**values | changes)


def test_the_weights_of_the_best_validation_are_kept():
    weight, history, _ = fitted(settings(), [5, 4, 1, 2, 3, 4, 5, 6, 7, 8])
    assert weight == pytest.approx(history[3])


def test_training_stops_when_validation_no_longer_improves():
    _, history, curve = fitted(settings(patience=2), [5, 4, 4.5, 4.2, 1, 1, 1, 1, 1, 1])
    assert len(history) == len(curve) == 4


def test_the_average_follows_the_weights_by_its_recursion():
    weight, history, _ = fitted(settings(average_decay=0.5), [float("nan")] * 10)
    history = [*history[1:], None]
    average = history[0]
    for step in range(2, 10):
        share = 1 - min(0.5, step / (step + 10))
        average += share * (history[step - 1] - average)
    # The last step's weight is not in the history; it only moves the average further up.
    assert average < weight < 3
    assert weight < max(value for value in history if value is not None)


def test_a_training_without_validation_ends_with_its_last_weights():
    module = nn.Linear(1, 1, bias=False)

    def loss_of(_rng, _step):
        return module.weight.square().sum(), {}

    run(
        optimise_steps(
            module, settings(), in_one_piece(loss_of), stage="", seed=0,
            validate=dict, validate_every=5,
        )
    )  # fmt: skip
    assert torch.isfinite(module.weight).all()


def test_the_curve_grows_while_it_is_watched():
    module, curve = nn.Linear(1, 1), []

    def loss_of(rng, _step):
        return module(torch.as_tensor(rng.normal(size=(4, 1)), dtype=torch.float32)).mean(), {}

    steps = optimise_steps(
        module, settings(), in_one_piece(loss_of), stage="", seed=0,
        validate=dict, validate_every=5, curve=curve,
    )  # fmt: skip
    lengths = []
    for _ in range(4):
        next(steps)
        lengths.append(len(curve))
    np.testing.assert_array_equal(lengths, [1, 2, 3, 4])
