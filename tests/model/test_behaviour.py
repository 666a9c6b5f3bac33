import pytest
import torch

from napari_calm.model.behaviour import BehaviourHead, behaviour_loss
from napari_calm.model.config import BehaviourConfig


@pytest.fixture
def head():
    torch.manual_seed(0)
    return BehaviourHead(BehaviourConfig(n_channels=2, frames_per_token=4, rank=3), 6, 8).eval()


@torch.no_grad()
def test_the_head_is_the_written_sum(head):
    hidden, ids = torch.randn(1, 5, 7, 8), torch.tensor([[4, 0, 2, 5, 1]])
    y = head(hidden, ids)
    for channel, frame in ((0, 0), (1, 13), (0, 27)):
        t, output = frame // 4, channel * 4 + frame % 4
        expected = head.bias[output].clone()
        for n in range(5):
            for r in range(3):
                u = hidden[0, n, t] @ head.value_proj[output, r]
                v = hidden[0, n, t] @ head.gate_proj[output, r]
                gelu = 0.5 * v * (1 + torch.erf(v / 2**0.5))
                expected += u * gelu * head.neuron_readout[output, ids[0, n], r]
        torch.testing.assert_close(y[0, channel, frame], expected, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_a_short_trial_does_not_depend_on_its_padding(head):
    head.smoother.weight.fill_(0.1)
    hidden, ids = torch.randn(1, 5, 7, 8), torch.arange(5)[None]
    padded = torch.cat([hidden, 9 * torch.randn(1, 5, 3, 8)], dim=2)
    alone = head(hidden, ids, torch.tensor([7]))
    together = head(padded, ids, torch.tensor([7]))
    torch.testing.assert_close(alone, together[:, :, :28])
    assert not torch.allclose(alone, head(padded, ids)[:, :, :28])


def test_the_loss_counts_valid_frames_only():
    predicted, target = torch.zeros(2, 3, 5), torch.ones(2, 3, 5)
    target[1, :, 2:] = 100.0
    assert behaviour_loss(predicted, target, torch.tensor([5, 2])).item() == pytest.approx(3.0)
