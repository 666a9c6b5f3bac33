import math

import pytest
import torch

from napari_calm.model.attention import rotate
from napari_calm.model.config import DynamicsConfig
from napari_calm.model.dynamics import Dynamics, next_token_loss
from napari_calm.model.rollout import most_likely, roll_out_steps, sampled


def small_dynamics(**changes):
    torch.manual_seed(0)
    settings = {"width": 24, "n_codes": 20, "n_layers": 3, "n_heads": 2, "mlp_width": 48,
                "n_neurons": 9, "n_sessions": 2} | changes  # fmt: skip
    dynamics = Dynamics(DynamicsConfig(**settings)).eval()
    for parameter in dynamics.parameters():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    return dynamics


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def roll_out(dynamics, prefix, n_new, choose=most_likely, **options):
    options = {"max_tokens": 100, "keep_tokens": 3} | options
    return finish(roll_out_steps(dynamics, prefix, n_new, choose, **options))


@torch.no_grad()
def test_later_tokens_never_change_earlier_hidden_states():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (2, 7, 12))
    changed = tokens.clone()
    changed[:, :, 8:] = torch.randint(20, (2, 7, 4))
    before, after = dynamics(tokens), dynamics(changed)
    torch.testing.assert_close(before[:, :, :8], after[:, :, :8], rtol=0, atol=1e-6)
    assert (before[:, :, 8:] - after[:, :, 8:]).abs().max() > 1e-2


@torch.no_grad()
def test_earlier_tokens_and_other_neurons_do_matter():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (1, 7, 12))
    earlier, other = tokens.clone(), tokens.clone()
    earlier[0, 3, 0] = (earlier[0, 3, 0] + 1) % 20
    other[0, 5, 11] = (other[0, 5, 11] + 1) % 20
    hidden = dynamics(tokens)[0, 3, 11]
    assert (dynamics(earlier)[0, 3, 11] - hidden).abs().max() > 1e-4
    assert (dynamics(other)[0, 3, 11] - hidden).abs().max() > 1e-4


@torch.no_grad()
def test_the_order_of_neurons_does_not_matter():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (1, 7, 12))
    order = torch.randperm(7)
    torch.testing.assert_close(
        dynamics(tokens[:, order]), dynamics(tokens)[:, order], rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_ids_of_minus_one_are_the_unknown_rows():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (1, 3, 5))
    known = dynamics(tokens, torch.tensor([[0, 4, 8]]), torch.tensor([1]))
    unknown = dynamics(tokens, torch.full((1, 3), -1), torch.tensor([-1]))
    torch.testing.assert_close(unknown, dynamics(tokens))
    assert (known - unknown).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("tokens_per_piece", [None, 1, 3])
def test_the_cache_gives_the_same_tokens_as_recomputing(tokens_per_piece):
    dynamics = small_dynamics()
    prefix = torch.randint(20, (2, 7, 5))
    ids, session = torch.arange(7).expand(2, 7), torch.tensor([0, 1])
    cached = roll_out(
        dynamics, prefix, 14, neuron_ids=ids, session_ids=session,
        tokens_per_piece=tokens_per_piece,
    )  # fmt: skip
    full = roll_out(dynamics, prefix, 14, neuron_ids=ids, session_ids=session, use_cache=False)
    assert torch.equal(cached, full)
    assert cached.shape == (2, 7, 19)


@torch.no_grad()
def test_the_cache_holds_across_windows():
    dynamics = small_dynamics()
    prefix = torch.randint(20, (1, 4, 5))
    windowed = {"max_tokens": 8, "keep_tokens": 4}
    cached = roll_out(dynamics, prefix, 20, **windowed)
    assert torch.equal(cached, roll_out(dynamics, prefix, 20, use_cache=False, **windowed))


@torch.no_grad()
def test_cached_hidden_states_equal_full_ones():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (1, 6, 9))
    cache = dynamics.new_cache(9)
    parts = [dynamics(tokens[:, :, a:b], cache=cache) for a, b in ((0, 4), (4, 5), (5, 9))]
    torch.testing.assert_close(torch.cat(parts, dim=2), dynamics(tokens), rtol=1e-4, atol=1e-5)


def test_sampling_follows_the_probabilities():
    logits = torch.log(torch.tensor([0.1, 0.0001, 0.6, 0.2999])).expand(1, 40_000, 4)
    uniforms = torch.rand(1, 40_000, 1, generator=torch.Generator().manual_seed(0))
    drawn = sampled(uniforms)(logits, 0)
    share = torch.bincount(drawn[0], minlength=4) / 40_000
    torch.testing.assert_close(
        share, torch.tensor([0.1, 0.0001, 0.6, 0.2999]), rtol=0, atol=0.01
    )
    assert sampled(torch.ones(1, 40_000, 1))(logits, 0).max() == 3


def test_padding_at_the_end_changes_no_loss():
    dynamics = small_dynamics()
    tokens = torch.randint(20, (1, 5, 6))
    padded = torch.cat([tokens, torch.zeros(1, 5, 4, dtype=torch.long)], dim=2)
    plain = next_token_loss(dynamics.logits(dynamics(tokens[:, :, :-1])), tokens)
    masked = next_token_loss(
        dynamics.logits(dynamics(padded[:, :, :-1])), padded, torch.tensor([6])
    )
    torch.testing.assert_close(plain, masked)


def test_rotation_turns_pairs_by_position():
    x = torch.randn(1, 1, 6, 4)
    turned = rotate(x, first_position=10)
    for t in range(6):
        for pair in range(2):
            angle = (10 + t) * 10_000 ** (-2 * pair / 4)
            a, b = x[0, 0, t, 2 * pair : 2 * pair + 2].tolist()
            expected = [
                a * math.cos(angle) - b * math.sin(angle),
                a * math.sin(angle) + b * math.cos(angle),
            ]
            found = turned[0, 0, t, 2 * pair : 2 * pair + 2]
            torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-5)
