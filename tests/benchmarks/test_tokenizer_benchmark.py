"""The tokenizer benchmark's terms and scores are what their formulas say."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import tokenizer as benchmark
import tokenizer_scoring as scoring
import tokenizer_terms as terms
import tokenizer_variants as variants
from held_out import is_held_out

from napari_calm.core.errors import CalmError, RecordingError
from napari_calm.core.recording import Recording
from napari_calm.model.config import PreprocessingConfig, TokenizerConfig
from napari_calm.model.tokenizer import Tokenizer, TokenizerOutput

ROOT = Path(__file__).parents[2]
N_CODES, WIDTH = 5, 4


@pytest.fixture
def tokenizer():
    torch.manual_seed(0)
    config = TokenizerConfig(width=WIDTH, n_codes=N_CODES, n_heads=2)
    made = Tokenizer(config).eval()
    made.quantizer.codebook = torch.randn(N_CODES, WIDTH)
    return made


@pytest.fixture
def out(tokenizer):
    latents = torch.randn(3, 7, WIDTH, requires_grad=True)
    tokens = tokenizer.quantizer(latents)
    quantised = tokenizer.quantizer.lookup(tokens)
    return TokenizerOutput(torch.randn(3, 28, requires_grad=True), latents, quantised, tokens)


def assignment(tokenizer, out):
    """p, written with loops and numpy only."""
    z = out.latents.detach().numpy().astype(float)
    codes = tokenizer.quantizer.codebook.detach().numpy().astype(float)
    distance = ((z[:, :, None] - codes) ** 2).sum(-1)
    weight = np.exp(-distance / distance.min(-1).mean())
    return weight / weight.sum(-1, keepdims=True)


def entropy(p):
    return -(p * np.log(p)).sum(-1)


def test_latent_variation_is_the_weighted_squared_differences(tokenizer, out):
    z = out.latents.detach().numpy()
    first = np.mean((z[:, 1:] - z[:, :-1]) ** 2)
    second = np.mean((z[:, 2:] - 2 * z[:, 1:-1] + z[:, :-2]) ** 2)
    found = terms.LatentVariation()(out, None, tokenizer)
    assert found.item() == pytest.approx(0.05 * first + 5e-4 * second, rel=1e-5)


def test_stickiness_is_overlap_and_jensen_shannon_of_neighbours(tokenizer, out):
    p = assignment(tokenizer, out)
    a, b = p[:, :-1], p[:, 1:]
    middle = (a + b) / 2
    kl = [(q * np.log(q / middle)).sum(-1) for q in (a, b)]
    expected = 0.1 * np.mean(1 - (a * b).sum(-1)) + 2e-3 * np.mean(sum(kl) / 2)
    found = terms.Stickiness()(out, None, tokenizer)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    found.backward()
    assert out.latents.grad.abs().sum() > 0


def test_smoothness_is_curvature_and_high_frequency_error(tokenizer, out):
    x = torch.randn(3, 28)
    y = out.reconstruction.detach().double().numpy()
    bend = np.abs(y[:, 2:] - 2 * y[:, 1:-1] + y[:, :-2]).mean()
    time = np.arange(28)
    wave = np.exp(-2j * np.pi * time[:, None] * time / 28)[:, 7:]
    error = np.mean((np.abs(y @ wave) - np.abs(x.double().numpy() @ wave)) ** 2)
    found = terms.Smoothness()(out, x, tokenizer)
    assert found.item() == pytest.approx(1e-9 * (bend + error), rel=1e-4)


def test_a_bigram_table_as_released_does_not_reach_the_latents(tokenizer, out):
    term = terms.Bigram(N_CODES)
    p, tokens = assignment(tokenizer, out), out.tokens.numpy()
    log_row = -np.log(np.exp(2.0) + N_CODES - 1)
    cross_entropy, align = [], []
    for row, soft in zip(tokens, p, strict=True):
        for t in range(len(row) - 1):
            log_next = log_row + 2.0 * (np.arange(N_CODES) == row[t])
            cross_entropy.append(-log_next[row[t + 1]])
            align.append(-(soft[t + 1] * log_next).sum())
    found = term(out, None, tokenizer)
    expected = 0.5 * np.mean(cross_entropy) + 0.5 * np.mean(align)
    assert found.item() == pytest.approx(expected, rel=1e-4)
    found.backward()
    assert out.latents.grad is None
    assert term.table.grad.abs().sum() > 0


def test_a_bigram_table_can_reach_the_latents(tokenizer, out):
    p = assignment(tokenizer, out)
    logits = 2 * p[:, :-1]
    log_next = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    following = out.tokens[:, 1:].numpy()
    cross_entropy = -np.take_along_axis(log_next, following[..., None], -1).mean()
    align = -(p[:, 1:] * log_next).sum(-1).mean()
    found = terms.Bigram(N_CODES, reaches_encoder=True)(out, None, tokenizer)
    assert found.item() == pytest.approx(0.5 * (cross_entropy + align), rel=1e-4)
    found.backward()
    assert out.latents.grad.abs().sum() > 0


def test_future_tokens_are_foretold_from_the_past_only(tokenizer, out):
    torch.manual_seed(1)
    term = terms.FutureTokens(N_CODES, WIDTH, n_heads=2).eval()
    state = out.latents
    for block in term.blocks:
        state = block(state, None, True)
    expected = 0.0
    for k in range(1, 5):
        logits = term.head(F.gelu(term.hidden(state + term.ahead[k - 1]))).detach().numpy()
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        values = [
            -0.95 * log_p[b, t, out.tokens[b, t + k]] - 0.05 * log_p[b, t].mean()
            for b in range(3)
            for t in range(7 - k)
        ]
        expected += 0.5 * np.mean(values)
    assert term(out, None, tokenizer).item() == pytest.approx(expected, rel=1e-4)
    changed = out.latents.detach().clone()
    changed[:, 4:] += 1.0
    before, after = out.latents, changed
    for block in term.blocks:
        before, after = block(before, None, True), block(after, None, True)
    torch.testing.assert_close(before[:, :4], after[:, :4])


def test_contrast_is_the_surprise_of_the_true_successor(tokenizer, out):
    torch.manual_seed(1)
    term = terms.Contrast(WIDTH)
    z = out.latents.detach().double().numpy()
    query, key = (w.weight.detach().double().numpy() for w in (term.query, term.key))
    u, v = z[:, :-1].reshape(-1, WIDTH) @ query.T, z[:, 1:].reshape(-1, WIDTH) @ key.T
    u, v = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (u, v))
    likeness = np.exp(u @ v.T / 0.1)
    expected = -np.log(np.diag(likeness) / likeness.sum(1)).mean()
    assert term(out, None, tokenizer).item() == pytest.approx(0.5 * expected, rel=1e-4)


def test_codebook_terms_move_a_codebook_that_is_learned_by_gradient(tokenizer, out):
    quantizer = terms.GradientQuantizer(N_CODES, WIDTH)
    tokenizer.quantizer = quantizer
    tokens = quantizer(out.latents)
    out = out._replace(tokens=tokens, quantised=quantizer.lookup(tokens))
    codes = quantizer.codebook.detach().numpy()
    error = np.mean((codes[tokens.numpy()] - out.latents.detach().numpy()) ** 2)
    penalty = np.abs(codes @ codes.T - np.eye(N_CODES)).sum()
    assert terms.CodebookError()(out, None, tokenizer).item() == pytest.approx(error, rel=1e-5)
    found = terms.Orthogonality()(out, None, tokenizer)
    assert found.item() == pytest.approx(error + 5e-6 * penalty, rel=1e-5)
    found.backward()
    assert quantizer.codebook.grad.abs().sum() > 0
    assert out.latents.grad is None


def test_unexplained_variance_and_pearson_of_known_traces():
    time = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    x = np.stack([np.sin(time), 3 * np.cos(time), np.zeros(400)])
    y = np.stack([0.5 * np.sin(time) + 0.5, np.zeros(400), np.ones(400)])
    unexplained, pearson, pooled = scoring.agreement(x, y)
    # Neuron 0: half the wave and an offset leave 1/4 + 1/2; neuron 1: nothing is explained;
    # the constant one counts for neither.
    np.testing.assert_allclose(unexplained, [0.75, 1.0])
    np.testing.assert_allclose(pearson, [1.0, 0.0], atol=1e-12)
    assert pooled == pytest.approx((0.75 * 0.5 + 4.5) / 5.0)


def test_use_of_codes_of_a_known_case():
    use = scoring.code_use([np.array([[0, 0, 1]]), np.array([[2, 2, 1]])], 4)
    assert use["used_share"] == 0.75
    assert use["perplexity"] == pytest.approx(3.0)
    assert use["top1_share"] == pytest.approx(1 / 3)


def test_bigram_surprise_falls_to_that_of_a_known_chain():
    rng = np.random.default_rng(0)
    stays = rng.random((50, 4000)) < 0.9
    chain = np.cumsum(~stays, axis=1) % 2
    counts = scoring.BigramCounts([chain[:25]], 2)
    truth = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert counts.nats([chain[25:]]) == pytest.approx(truth, abs=0.01)
    np.testing.assert_allclose(counts.probability.sum(1), 1.0)


def test_blocks_join_to_the_whole_recording_in_its_own_units():
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(3, 203)).cumsum(1).astype(np.float32)
    config = PreprocessingConfig(
        frame_rate_range_hz=(1.3, 6.2), context_frames=16, max_frames=48
    )
    recording = Recording(traces, 5.0)
    blocks = list(scoring.blocks_of(recording, config, 4))
    assert sum(block.units.shape[1] - block.n_known for block in blocks) == 200
    start = 0
    for block in blocks:
        n_new = block.units.shape[1] - block.n_known
        known = traces[:, : max(start, 16)]
        new = traces[:, start : start + n_new]
        expected = new - known[:, -16:].mean(1, keepdims=True)
        np.testing.assert_allclose(
            block.units[:, block.n_known :] * block.scale[:, None], expected, atol=1e-4
        )
        start += n_new


def test_a_method_that_says_all_explains_all_and_the_mean_nothing():
    traces = np.random.default_rng(0).normal(size=(3, 400)).astype(np.float32)
    animals = [scoring.Animal("fly", 0, Recording(traces, 5.0, name="a"))]
    config = PreprocessingConfig(frame_rate_range_hz=(1.3, 6.2))
    perfect, _ = scoring.score(lambda units: (units, None), animals, config, 4)
    silent, _ = scoring.score(lambda units: (0 * units, None), animals, config, 4)
    assert perfect["unexplained"] == 0
    assert perfect["pearson"] == pytest.approx(1)
    assert silent["unexplained"] == pytest.approx(1, abs=0.05)


def test_references_recover_patches_that_they_can_say():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 4)).astype(np.float32)
    patches = centres[rng.integers(6, size=600)]
    units = patches[:30].reshape(3, 40)
    said, tokens = scoring.kmeans_method(patches, 6, seed=0)(units)
    np.testing.assert_allclose(said, units, atol=1e-5)
    assert tokens.shape == (3, 10)
    plane = (rng.normal(size=(500, 2)) @ rng.normal(size=(2, 4))).astype(np.float32)
    said, _ = scoring.pca_method(plane, 2)(plane[:40].reshape(4, 40))
    np.testing.assert_allclose(said, plane[:40].reshape(4, 40), atol=1e-4)


def test_every_third_fly_and_every_second_worm_and_fish_is_held_out():
    chosen = {
        species: [number for number in range(7) if is_held_out(species, number)]
        for species in scoring.SPECIES
    }
    assert chosen == {"fly": [0, 3, 6], "worm": [0, 2, 4, 6], "zebrafish": [0, 2, 4, 6]}


def write_animals(folder, n_frames=600):
    rng = np.random.default_rng(0)
    for species, rate_hz, n_animals in (("fly", 11.4, 4), ("worm", 1.6, 2)):
        (folder / species).mkdir(parents=True)
        for number in range(n_animals):
            traces = rng.normal(size=(6, n_frames)).astype(np.float32)
            traces[0] = 1.0
            np.savez(folder / species / f"{species}{number}.npz", traces=traces, fps=rate_hz)


def test_recordings_are_averaged_to_at_most_6_2_hz_and_constant_traces_left_out(tmp_path):
    write_animals(tmp_path)
    animals = scoring.read_animals(tmp_path)
    fly = animals[0].recording
    assert fly.frame_rate_hz == pytest.approx(5.7)
    raw = np.load(tmp_path / "fly" / "fly0.npz")["traces"]
    np.testing.assert_allclose(fly.traces, (raw[1:, ::2] + raw[1:, 1::2]) / 2, rtol=1e-6)
    assert animals[-1].recording.frame_rate_hz == pytest.approx(1.6)
    with pytest.raises(RecordingError, match="no npz"):
        scoring.read_animals(tmp_path / "fly")


def test_no_animal_is_both_fitted_on_and_scored(tmp_path):
    write_animals(tmp_path)
    animals = scoring.read_animals(tmp_path)
    fitted, scored = benchmark.animals_for(("fly1", "worm0"), animals)
    assert [a.name for a in fitted] == ["fly1", "worm0"]
    assert [a.name for a in scored] == ["fly0", "fly2", "fly3", "worm1"]
    fitted, scored = benchmark.animals_for((), animals)
    assert [a.name for a in fitted] == ["fly0", "fly1", "fly2", "worm0"]
    assert [a.name for a in scored] == ["fly3", "worm1"]
    with pytest.raises(CalmError, match="all 6 recordings"):
        benchmark.animals_for([a.name for a in animals], animals)


def test_variants_train_and_an_interrupted_run_continues(tmp_path, monkeypatch, capsys):
    write_animals(tmp_path / "data")
    animals = [a for a in scoring.read_animals(tmp_path / "data") if a.number < 2]
    monkeypatch.setattr(variants, "BLOCKS_SCORED", 2)
    monkeypatch.setattr("napari_calm.train.tokenizer_training.KMEANS_LATENTS", 1100)
    monkeypatch.setattr("napari_calm.train.tokenizer_training.VALIDATION_WINDOWS", 2)
    with_weights_or_start_of_their_own = (
        "our loss", "ours + 4-step prediction", "codebook by gradient + orthogonality",
        "ours - k-means start - dead-code revival",
    )  # fmt: skip
    chosen = [v for v in variants.ABLATION if v.name in with_weights_or_start_of_their_own]
    assert len(chosen) == 4
    monkeypatch.setattr(benchmark, "ABLATION", chosen)
    out = tmp_path / "out"
    first = variants.train_all(chosen[:2], animals, 2, 0, out / "steps-2-seed-0")
    capsys.readouterr()
    command = ["--data", str(tmp_path / "data"), "--out", str(out), "--only", "ablation"]
    assert benchmark.main([*command, "--steps", "2"]) == 0
    assert capsys.readouterr().out.count(" ...") == len(chosen) - 2
    found = json.loads((out / "tokenizer.json").read_text())["ablation"]
    assert found[:2] == first
    assert all(np.isfinite(row["unexplained"]) for row in found)
    text = (out / "tokenizer.md").read_text()
    assert all(f"| {variant.name} | 128 | 4 | 1.75 |" in text for variant in chosen)


def test_the_bundled_tokenizer_beats_one_number_of_four_on_real_animals():
    data = Path(os.environ.get("CALM_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "worm").is_dir():
        pytest.skip(f"no real recordings at {data}; set CALM_DATA")
    animals = [a for a in scoring.read_animals(data) if a.species == "worm"][:2]
    found = benchmark.score_checkpoint(benchmark.load_model("calm-mini"), animals, seed=0)
    by_name = found["methods"]
    assert (
        by_name["PCA, 3 of 4 numbers"]["unexplained"]
        < by_name["PCA, 1 of 4 numbers"]["unexplained"]
    )
    assert by_name["calm-mini"]["unexplained"] < 0.2
