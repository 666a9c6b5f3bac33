"""The model computes what the authors' release computes from the same weights."""

import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "data" / "calm_tiny.npz"


@pytest.fixture(scope="module")
def main():
    return runpy.run_path(str(ROOT / "benchmarks" / "reference.py"))["main"]


def test_every_quantity_of_the_release_is_reproduced(main, capsys):
    assert main([str(VECTORS)]) == 0
    printed = capsys.readouterr().out
    for quantity in (
        "pre/z", "nq/tokens", "nq/z_e", "nq/recon", "nq/hard/codebook_after", "dat/hidden",
        "dat/logits", "dat/logits_no_session", "dat/rollout (cached)", "dat/rollout_frames",
        "dat/ragged/ce", "head/y", "head/train_loss", "metric/pearson",
    ):  # fmt: skip
        assert f"\n{quantity} " in "\n" + printed
    assert "within the tolerances" in printed


@pytest.mark.parametrize(
    "changed",
    ["nq/sd/encoder.1.attention.k_proj.bias", "nq/sd/codebook.weight",
     "dat/sd/blocks.2.t_ln.bias",
     "dat/sd/blocks.0.n_attn.qkv.weight", "dat/sd/neu_emb.weight", "head/sd/A_u"],
)  # fmt: skip
def test_a_changed_weight_is_noticed(main, tmp_path, changed, capsys):
    with np.load(VECTORS) as archive:
        vectors = dict(archive)
    vectors[changed] = (
        vectors[changed]
        + np.float32(0.01)
        * np.arange(vectors[changed].size, dtype=np.float32).reshape(vectors[changed].shape)
        / vectors[changed].size
    )
    np.savez(tmp_path / "changed.npz", **vectors)
    assert main([str(tmp_path / "changed.npz")]) == 1
    assert "BEYOND" in capsys.readouterr().out


def test_a_file_of_something_else_is_refused(main, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", traces=np.zeros((2, 3)))
    assert main([str(tmp_path / "other.npz")]) == 2
    assert "cfg, nq/x" in capsys.readouterr().err


def test_a_file_without_a_result_proves_nothing(main, tmp_path, capsys):
    with np.load(VECTORS) as archive:
        vectors = {key: archive[key] for key in archive.files if key != "dat/logits"}
    np.savez(tmp_path / "part.npz", **vectors)
    assert main([str(tmp_path / "part.npz")]) == 2
    assert "dat/logits missing" in capsys.readouterr().err


def test_a_file_with_other_tokens_is_beyond_the_tolerances(main, tmp_path, capsys):
    with np.load(VECTORS) as archive:
        vectors = dict(archive)
    vectors["nq/tokens"] = np.zeros_like(vectors["nq/tokens"])
    np.savez(tmp_path / "other.npz", **vectors)
    assert main([str(tmp_path / "other.npz")]) == 1
    assert "BEYOND" in capsys.readouterr().out
