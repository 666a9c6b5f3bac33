"""What keeping keys and values saves in a roll-out, with the same tokens.

    python benchmarks/rollout.py --out DIR [--neurons 300] [--repeats 3]

300 neurons, 9 tokens seen, 20 new ones, greedy, a model of the release's small size (256
wide, 4 layers) with random weights. Both ways run in turn in one process; the ratio is what
carries over to other machines.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

from napari_calm.model.config import DynamicsConfig
from napari_calm.model.dynamics import Dynamics
from napari_calm.model.rollout import roll_out_steps


def main() -> int:
    """Time both ways and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--neurons", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    dynamics = Dynamics(DynamicsConfig(width=256, n_layers=4, n_heads=4, mlp_width=1024)).eval()
    for parameter in dynamics.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    prefix = torch.randint(128, (1, options.neurons, 9))
    seconds: dict[bool, list[float]] = {True: [], False: []}
    tokens = {}
    for _ in range(options.repeats):
        for use_cache in (True, False):
            start = time.perf_counter()
            tokens[use_cache] = finish(dynamics, prefix, use_cache)
            seconds[use_cache].append(time.perf_counter() - start)
    ratios = [full / kept for kept, full in zip(seconds[True], seconds[False], strict=True)]
    result = {
        "neurons": options.neurons,
        "prefix_tokens": 9,
        "new_tokens": 20,
        "seconds_cached": seconds[True],
        "seconds_recomputed": seconds[False],
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "equal_tokens": float((tokens[True] == tokens[False]).double().mean()),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "seed": 0,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rollout.json").write_text(json.dumps(result, indent=2) + "\n")
    line = (
        f"| {options.neurons} | {statistics.median(seconds[True]):.2f} "
        f"| {statistics.median(seconds[False]):.2f} | {result['ratio_median']:.1f} "
        f"({min(ratios):.1f}-{max(ratios):.1f}) | {result['equal_tokens']:.4f} |"
    )
    table = (
        "| neurons | cached, s | recomputed, s | ratio | equal tokens |\n"
        f"|---|---|---|---|---|\n{line}\n"
    )
    (options.out / "rollout.md").write_text(table)
    print(table)
    return 0 if result["equal_tokens"] == 1 else 1


def finish(dynamics: Dynamics, prefix: torch.Tensor, use_cache: bool) -> torch.Tensor:
    """Roll out by 20 tokens in one window."""
    steps = roll_out_steps(
        dynamics, prefix, 20, max_tokens=29, keep_tokens=1, use_cache=use_cache
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


if __name__ == "__main__":
    sys.exit(main())
