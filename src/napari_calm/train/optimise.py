"""One optimisation loop for both stages: seeded step by step, saved, resumable."""

import math
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.atomic import replacing
from ..core.errors import CheckpointError
from ..core.progress import Progress, Steps
from .config import OptimiserConfig

Curve = list[dict[str, float]]


def learning_rate_at(step: int, config: OptimiserConfig) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to the final rate."""
    warmup = max(1, round(config.warmup_share * config.steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    share = (step - warmup) / max(1, config.steps - warmup)
    low = config.final_learning_rate
    return low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * share))


def make_optimiser(module: nn.Module, config: OptimiserConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices only: no biases, norms, rows or single vectors."""
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        is_table = "neuron_embed" in name or "session_embed" in name
        (kept if parameter.ndim < 2 or is_table else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": kept, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def optimise_steps(
    module: nn.Module,
    config: OptimiserConfig,
    loss_of: Callable[[np.random.Generator, int], tuple[Tensor, dict[str, float]]],
    *,
    stage: str,
    seed: int,
    state_file: Path,
    save_every: int,
    validate: Callable[[], dict[str, float]],
    validate_every: int,
) -> Steps[Curve]:
    """Train `module` and return its learning curve.

    Every step draws from a generator of its own, made of seed and step, so a run that was
    killed and resumed takes the same steps as one that was not.

    Parameters
    ----------
    loss_of : callable
        Given the step's random generator and the step, returns the loss and what to log.
    state_file : path
        Where the state is kept between runs; read at the start where it exists.
    validate : callable
        Returns what to log every `validate_every` steps and at the end.
    """
    optimiser = make_optimiser(module, config)
    step, curve = _resume(state_file, module, optimiser)
    while step < config.steps:
        rng = np.random.default_rng([seed, step])
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(step, config)
        module.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            loss, logged = loss_of(rng, step)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        optimiser.step()
        step += 1
        row = {"step": float(step), "loss": float(loss.detach())} | logged
        if step % validate_every == 0 or step == config.steps:
            module.eval()
            row |= validate()
        curve.append(row)
        if step % save_every == 0 or step == config.steps:
            _save(state_file, module, optimiser, step, curve)
        yield Progress(step, config.steps, f"{stage} (loss {row['loss']:.3f})")
    module.eval()
    return curve


def _save(
    path: Path, module: nn.Module, optimiser: torch.optim.Optimizer, step: int, curve: Curve
) -> None:
    state = {
        "step": step,
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "curve": curve,
    }
    with replacing(path) as partial:
        torch.save(state, partial)


def _resume(
    path: Path, module: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, Curve]:
    if not path.exists():
        return 0, []
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        return int(state["step"]), list(state["curve"])
    except (
        UnpicklingError,
        RuntimeError,
        LookupError,
        TypeError,
        ValueError,
        EOFError,
    ) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CheckpointError(
            f"{path}: not the state of this training ({reason}). "
            "Start afresh with --restart or another output folder."
        ) from error
