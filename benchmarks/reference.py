"""Compare the model with reference vectors of the authors' release, quantity by quantity.

    python benchmarks/reference.py FILE.npz [--json OUT.json]

FILE.npz holds weights under the release's names (`nq/sd/*`, `dat/sd/*`, `head/sd/*`), a JSON
`cfg`, inputs, and what the release computed from them. The weights are imported with
`napari_calm.import_release`, every quantity is computed again, and the largest deviation
relative to the largest reference value is printed. Exit status: 0 within the tolerances,
1 beyond them, 2 if the file cannot be used.
"""

import argparse
import json
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_calm.core.errors import CalmError
from napari_calm.model.behaviour import behaviour_loss
from napari_calm.model.calm import CalmModel
from napari_calm.model.dynamics import next_token_loss
from napari_calm.model.release import import_release
from napari_calm.model.rollout import roll_out_steps
from napari_calm.preprocess.smooth import smooth_causally
from napari_calm.train.tokenizer_loss import pearson_loss

RELATIVE_TOLERANCE = 1e-5
# Without these a file proves nothing about the networks.
REQUIRED = (
    "cfg", "nq/x", "nq/z_e", "nq/tokens", "nq/recon", "dat/tokens", "dat/hidden", "dat/logits",
    "dat/rollout",
)  # fmt: skip
CLEAR_MARGIN = 1e-3


@dataclass(frozen=True)
class Row:
    """One compared quantity."""

    quantity: str
    kind: str
    value: float
    passed: bool


class Comparison:
    """Collects what was computed against what the file says."""

    def __init__(self, reference: dict[str, np.ndarray]) -> None:
        self.reference = reference
        self.rows: list[Row] = []
        self.compared: set[str] = set()

    def close(
        self, key: str, compute: Callable[[], Tensor], where: np.ndarray | None = None
    ) -> None:
        """Compare numbers; `where` chooses the entries that count."""
        if key not in self.reference:
            return
        expected = torch.as_tensor(self.reference[key]).double()
        found = compute().detach().double().reshape(expected.shape)
        if where is not None:
            found, expected = found[torch.as_tensor(where)], expected[torch.as_tensor(where)]
        if not expected.numel():
            # No entry that could be compared is left: every token before it differs.
            self._add(key, "relative deviation", float("inf"), False)
            return
        size = expected.abs().max().clamp(min=1e-30)
        deviation = float((found - expected).abs().max() / size)
        # A NaN compares as false and so counts as beyond the tolerance.
        self._add(key, "relative deviation", deviation, deviation <= RELATIVE_TOLERANCE)

    def equal(
        self,
        key: str,
        compute: Callable[[], Tensor],
        margin_key: str | None = None,
        label: str | None = None,
    ) -> None:
        """Compare tokens; those whose margin is clear must all be equal."""
        if key not in self.reference:
            return
        expected = self.reference[key]
        same = compute().numpy().reshape(expected.shape) == expected
        clear = np.ones_like(same)
        if margin_key in self.reference:
            clear = self.reference[margin_key] > CLEAR_MARGIN
        passed = bool(same[clear].all())
        self._add(key, "share of equal tokens", float(same.mean()), passed, label)

    def _add(
        self, key: str, kind: str, value: float, passed: bool, label: str | None = None
    ) -> None:
        self.compared.add(key)
        self.rows.append(Row(label or key, kind, value, passed))


def compare(reference: dict[str, np.ndarray]) -> Comparison:
    """Compute every quantity of the file that the model has."""
    missing = [key for key in REQUIRED if key not in reference]
    if missing:
        raise CalmError(f"{', '.join(missing)} missing: not a full file of reference vectors.")
    cfg = json.loads(str(reference["cfg"]))
    has_head = any(key.startswith("head/sd/") for key in reference)
    model = import_release(
        tokenizer=_weights(reference, "nq/sd/"),
        dynamics=_weights(reference, "dat/sd/"),
        behaviour=_weights(reference, "head/sd/") if has_head else None,
        config=cfg,
        name="reference",
    )
    comparison = Comparison(reference)
    with torch.no_grad():
        _compare_preprocessing(comparison)
        _compare_tokenizer(comparison, model)
        _compare_dynamics(comparison, model, cfg)
        if has_head:
            _compare_behaviour(comparison, model)
        _compare_metrics(comparison)
    return comparison


def _weights(reference: dict[str, np.ndarray], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): torch.from_numpy(value)
        for key, value in reference.items()
        if key.startswith(prefix)
    }


def _tensor(comparison: Comparison, key: str) -> Tensor:
    if key not in comparison.reference:
        raise CalmError(f"{key} is missing: not a file of reference vectors.")
    return torch.from_numpy(comparison.reference[key])


def _compare_preprocessing(comparison: Comparison) -> None:
    if "pre/dff" not in comparison.reference:
        return
    smoothed = smooth_causally(comparison.reference["pre/dff"].T, 0.15).T
    mean = smoothed.mean(axis=0, dtype=np.float64, keepdims=True)
    std = smoothed.std(axis=0, dtype=np.float64, keepdims=True)
    for key, value in (
        ("pre/ema", smoothed),
        ("pre/mean", mean),
        ("pre/std", std),
        ("pre/z", (smoothed - mean) / (std + 1e-6)),
    ):
        comparison.close(key, lambda value=value: torch.as_tensor(value))


def _compare_tokenizer(comparison: Comparison, model: CalmModel) -> None:
    tokenizer = model.tokenizer
    x = _tensor(comparison, "nq/x").flatten(1)
    encoded = tokenizer.encode(x)
    out = tokenizer(x)
    comparison.close("nq/conv_latent", lambda: tokenizer.patch(x).transpose(1, 2))
    comparison.close("nq/z_before_ema", lambda: encoded)
    comparison.close("nq/z_e", lambda: out.latents)
    comparison.equal("nq/tokens", lambda: out.tokens, "nq/dist_margin")
    comparison.close(
        "nq/dist_margin", lambda: _margin(tokenizer.quantizer.distances(out.latents))
    )
    # A token whose two nearest codes are equally near may differ; what follows from it would.
    same = out.tokens.numpy() == comparison.reference["nq/tokens"]
    comparison.close("nq/z_q", lambda: out.quantised, same)
    comparison.close("nq/recon", lambda: out.reconstruction, same.all(axis=1))
    comparison.close(
        "nq/decode_tokens", lambda: tokenizer.decode_tokens(_tensor(comparison, "nq/tokens"))
    )
    comparison.close("nq/warmup_recon", lambda: tokenizer(x, quantise=False).reconstruction)
    # One training step with the nearest code: the loss terms that our training keeps, and
    # the codebook after it.
    error = lambda: F.mse_loss(out.latents, out.quantised)  # noqa: E731
    comparison.close("nq/hard/loss/mse", lambda: F.mse_loss(out.reconstruction, x))
    comparison.close("nq/hard/loss/pearson", lambda: pearson_loss(out.reconstruction, x))
    comparison.close("nq/hard/loss/embedding", error)
    comparison.close("nq/hard/loss/commitment", error)
    after = deepcopy(tokenizer.quantizer)
    after.update(out.latents.flatten(0, 1), out.tokens.flatten())
    comparison.close("nq/hard/codebook_after", lambda: after.codebook)
    comparison.close("nq/hard/ema_cluster_size_after", lambda: after.ema_count)
    comparison.close("nq/hard/ema_dw_after", lambda: after.ema_sum)


def _margin(distances: Tensor) -> Tensor:
    nearest = distances.topk(2, dim=-1, largest=False).values
    return nearest[..., 1] - nearest[..., 0]


def _compare_dynamics(comparison: Comparison, model: CalmModel, cfg: dict[str, int]) -> None:
    dynamics = model.dynamics
    tokens = _tensor(comparison, "dat/tokens")[None]
    neurons = _tensor(comparison, "dat/neuron_ids")[None]
    session = _tensor(comparison, "dat/session_id").reshape(1)
    hidden = dynamics(tokens, neurons, session)
    comparison.close("dat/hidden", lambda: hidden)
    comparison.close("dat/logits", lambda: dynamics.logits(hidden))
    comparison.close(
        "dat/logits_no_session",
        lambda: dynamics.logits(dynamics(tokens, neurons, use_session=False)),
    )
    if "dat/rollout" in comparison.reference:
        n_tokens = comparison.reference["dat/rollout"].shape[-1]
        n_prefix = min(max(int(cfg["P"]), 1), n_tokens - 1)
        for how, use_cache in (("recomputed", False), ("cached", True)):
            comparison.equal(
                "dat/rollout",
                lambda use_cache=use_cache: roll_out(
                    model,
                    tokens[..., :n_prefix],
                    n_tokens - n_prefix,
                    neurons,
                    session,
                    use_cache,
                ),
                label=f"dat/rollout ({how})",
            )
        comparison.close(
            "dat/rollout_frames",
            lambda: model.tokenizer.decode_tokens(_tensor(comparison, "dat/rollout")),
        )
    if "dat/ragged/tokens" in comparison.reference:
        tokens = _tensor(comparison, "dat/ragged/tokens")
        lengths = _tensor(comparison, "dat/ragged/lengths")
        hidden = dynamics(
            tokens[:, :, :-1],
            _tensor(comparison, "dat/ragged/neuron_ids"),
            _tensor(comparison, "dat/ragged/session_ids"),
        )
        valid = comparison.reference["dat/ragged/valid"]
        comparison.close("dat/ragged/hidden", lambda: hidden, valid)
        comparison.close("dat/ragged/logits", lambda: dynamics.logits(hidden), valid)
        comparison.close(
            "dat/ragged/ce", lambda: next_token_loss(dynamics.logits(hidden), tokens, lengths)
        )


def roll_out(
    model: CalmModel,
    prefix: Tensor,
    n_new: int,
    neurons: Tensor,
    session: Tensor,
    use_cache: bool,
) -> Tensor:
    """Greedy roll-out in one window, as the release does it."""
    steps = roll_out_steps(
        model.dynamics,
        prefix,
        n_new,
        max_tokens=prefix.shape[2] + n_new,
        keep_tokens=1,
        neuron_ids=neurons,
        session_ids=session,
        use_cache=use_cache,
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def _compare_behaviour(comparison: Comparison, model: CalmModel) -> None:
    y = model.behaviour(_tensor(comparison, "head/h"), _tensor(comparison, "head/neuron_ids"))
    comparison.close("head/y", lambda: y)
    comparison.close(
        "head/train_loss",
        lambda: behaviour_loss(
            y, _tensor(comparison, "head/target"), _tensor(comparison, "head/lengths")
        ),
    )


def _compare_metrics(comparison: Comparison) -> None:
    if "metric/gt" not in comparison.reference:
        return
    truth, forecast = (_tensor(comparison, f"metric/{k}").double() for k in ("gt", "pred"))
    a = truth - truth.mean(1, keepdim=True)
    b = forecast - forecast.mean(1, keepdim=True)
    pearson = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp(min=1e-6)
    comparison.close("metric/pearson_per_neuron", lambda: pearson)
    comparison.close("metric/pearson", lambda: pearson.mean())
    comparison.close("metric/mse", lambda: ((truth - forecast) ** 2).mean())


INPUTS = (
    "cfg", "pre/dff", "nq/x", "dat/rollout_margin", "dat/tokens", "dat/neuron_ids",
    "dat/session_id", "dat/ragged/tokens", "dat/ragged/lengths", "dat/ragged/neuron_ids",
    "dat/ragged/session_ids", "dat/ragged/valid", "head/h", "head/neuron_ids", "head/target",
    "head/lengths", "metric/gt", "metric/pred",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args(arguments)
    try:
        with np.load(options.file, allow_pickle=False) as archive:
            reference = {key: archive[key] for key in archive.files}
        comparison = compare(reference)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        print(f"{options.file}: cannot be compared: {error}", file=sys.stderr)
        return 2
    width = max(len(row.quantity) for row in comparison.rows)
    for row in comparison.rows:
        verdict = "ok" if row.passed else "BEYOND TOLERANCE"
        print(f"{row.quantity:<{width}}  {row.value:9.3g}  {row.kind:<21}  {verdict}")
    left_out = [
        key
        for key in reference
        if key not in comparison.compared and "/sd/" not in key and key not in INPUTS
    ]
    print(
        f"\nnot compared (only the release's training computes them): {len(left_out)} values,"
    )
    names = sorted({key.replace("/loss/", " loss ").split("/gradnorm")[0] for key in left_out})
    print("  " + ", ".join(names))
    deviations = [row.value for row in comparison.rows if row.kind == "relative deviation"]
    tokens = [row.value for row in comparison.rows if row.kind != "relative deviation"]
    passed = all(row.passed for row in comparison.rows)
    print(
        f"\nlargest relative deviation {max(deviations):.3g} (tolerance {RELATIVE_TOLERANCE:g})"
    )
    print(f"smallest share of equal tokens {min(tokens):.4f}")
    print("within the tolerances" if passed else "BEYOND THE TOLERANCES")
    if options.json:
        report = {"passed": passed, "rows": [asdict(row) for row in comparison.rows]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
