import torch

from napari_calm.model.config import TokenizerConfig
from napari_calm.model.tokenizer import Quantizer, Tokenizer


def small_tokenizer(**changes):
    torch.manual_seed(0)
    settings = {"width": 16, "n_codes": 24, "n_heads": 2, "n_encoder_blocks": 2,
                "n_decoder_blocks": 2} | changes  # fmt: skip
    tokenizer = Tokenizer(TokenizerConfig(**settings)).eval()
    # Without spread-out codes every latent would get the same token.
    latents = tokenizer.smooth(tokenizer.encode(torch.randn(64, 32))).flatten(0, 1).detach()
    tokenizer.quantizer.codebook.copy_(latents[torch.randperm(len(latents))[:24]])
    return tokenizer


@torch.no_grad()
def test_later_frames_never_change_earlier_latents_tokens_or_frames():
    tokenizer = small_tokenizer()
    x = torch.randn(5, 48)
    changed = x.clone()
    changed[:, 24:] += 3 * torch.randn(5, 24)
    before, after = tokenizer(x), tokenizer(changed)
    assert torch.equal(before.tokens[:, :6], after.tokens[:, :6])
    torch.testing.assert_close(before.latents[:, :6], after.latents[:, :6], rtol=0, atol=1e-6)
    torch.testing.assert_close(
        before.reconstruction[:, :24], after.reconstruction[:, :24], rtol=0, atol=1e-6
    )
    assert not torch.equal(before.tokens[:, 6:], after.tokens[:, 6:])


@torch.no_grad()
def test_look_ahead_reaches_exactly_that_many_tokens():
    tokenizer = small_tokenizer(look_ahead_tokens=1)
    x = torch.randn(1, 48)
    changed = x.clone()
    changed[:, 24:28] += 1.0  # token 6
    moved = (tokenizer.encode(x) - tokenizer.encode(changed)).abs().amax(-1)[0] > 1e-6
    assert moved.tolist() == [False] * 5 + [True] * 7


@torch.no_grad()
def test_a_non_causal_encoder_sees_everything():
    tokenizer = small_tokenizer(encoder_causal=False)
    x = torch.randn(1, 48)
    changed = x.clone()
    changed[:, -1] += 1.0
    assert ((tokenizer.encode(x) - tokenizer.encode(changed)).abs().amax(-1) > 1e-6).all()


@torch.no_grad()
def test_smoothing_is_the_recursion():
    tokenizer = small_tokenizer()
    h = torch.randn(3, 20, 16)
    z = [h[:, 0]]
    for t in range(1, 20):
        z.append(0.9 * h[:, t] + 0.1 * z[-1])
    torch.testing.assert_close(tokenizer.smooth(h), torch.stack(z, dim=1))


@torch.no_grad()
def test_the_nearest_code_is_chosen():
    quantizer = Quantizer(50, 8)
    quantizer.codebook.copy_(torch.randn(50, 8))
    z = torch.randn(7, 11, 8)
    differences = z[:, :, None] - quantizer.codebook
    brute_force = (differences**2).sum(-1)
    assert torch.equal(quantizer(z), brute_force.argmin(-1))
    torch.testing.assert_close(quantizer.distances(z), brute_force, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_codebook_moves_to_the_mean_of_its_latents():
    quantizer = Quantizer(3, 2)
    quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [5.0, 5.0], [-9.0, 9.0]]))
    quantizer.ema_sum.copy_(quantizer.codebook)
    quantizer.ema_count.fill_(1.0)
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [6.0, 6.0]])
    for _ in range(2000):
        quantizer.update(z, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(
        quantizer.codebook[:2], torch.tensor([[1.0, 0.0], [6.0, 6.0]]), rtol=1e-3, atol=1e-3
    )


def test_gradients_pass_straight_through_to_the_encoder():
    tokenizer = small_tokenizer()
    out = tokenizer(torch.randn(4, 32))
    out.reconstruction.square().mean().backward()
    assert tokenizer.patch.conv1.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_two_frame_tokens_have_two_frames():
    tokenizer = small_tokenizer(window=2, stride=2)
    out = tokenizer(torch.randn(3, 20))
    assert out.tokens.shape == (3, 10)
    assert out.reconstruction.shape == (3, 20)
