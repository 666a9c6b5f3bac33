"""One optimisation loop for both stages: seeded step by step, saved, resumable."""

import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.atomic import replacing
from ..core.errors import CheckpointError, OutOfMemory, is_out_of_memory
from ..core.progress import Progress, Steps, Stop, never
from .config import OptimiserConfig
from .in_parts import Drawn, InParts

Curve = list[dict[str, float]]
Weights = dict[str, Tensor]
# Where steps are slow, the state is saved as often as this.
SAVE_EVERY_S = 60.0


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


@dataclass
class TrainingState:
    """All that a training needs to go on: kept in a file, so that a kill costs little.

    `average` is the moving average of the weights, `best` those of the best validation so
    far, `waited` the validations since.
    """

    module: nn.Module
    optimiser: torch.optim.AdamW
    step: int = 0
    curve: Curve = field(default_factory=list)
    average: Weights = field(default_factory=dict)
    best: Weights = field(default_factory=dict)
    best_loss: float = math.inf
    waited: int = 0

    def follow(self, decay: float) -> None:
        """Move the average towards the weights; early steps count in full."""
        if decay == 0:
            return
        weights = self.module.state_dict()
        if not self.average:
            self.average = {name: value.clone() for name, value in weights.items()}
        share = 1 - min(decay, self.step / (self.step + 10))
        for name, value in self.average.items():
            if value.is_floating_point():
                value.lerp_(weights[name], share)
            else:
                value.copy_(weights[name])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Use the averaged weights, where there are any, for a while."""
        if not self.average:
            yield
            return
        weights = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average)
        try:
            yield
        finally:
            self.module.load_state_dict(weights)

    def judge(self, loss: float) -> None:
        """Keep the present weights if this validation is the best so far."""
        if not loss < self.best_loss:
            self.waited += 1
            return
        self.best_loss, self.waited = loss, 0
        self.best = {name: value.clone() for name, value in self.module.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write everything to a file."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {"module": self.module.state_dict(), "optimiser": self.optimiser.state_dict()}
        # Written by Python: of a full disk torch's own writer says nothing that helps.
        content = io.BytesIO()
        torch.save(values, content)
        with replacing(path) as partial:
            partial.write_bytes(content.getbuffer())

    def resume(self, path: Path) -> None:
        """Continue from a file, where there is one."""
        if not path.exists():
            return
        device = next(self.module.parameters()).device
        try:
            values: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
            self.module.load_state_dict(values.pop("module"))
            self.optimiser.load_state_dict(values.pop("optimiser"))
            for name in {f.name for f in fields(self)} - {"module", "optimiser"}:
                setattr(self, name, values[name])
        except (
            UnpicklingError,
            RuntimeError,
            LookupError,
            TypeError,
            ValueError,
            EOFError,
        ) as error:
            if is_out_of_memory(error):
                raise
            reason = str(error).strip().split("\n")[0] or type(error).__name__
            raise CheckpointError(
                f"{path}: not the state of this training ({reason}). "
                "Start afresh with --restart or another output folder."
            ) from error


def optimise_steps(
    module: nn.Module,
    config: OptimiserConfig,
    draw: Callable[[np.random.Generator, int], Drawn],
    *,
    stage: str,
    seed: int,
    validate: Callable[[], dict[str, float]],
    validate_every: int,
    state_file: Path | None = None,
    save_every: int = 100,
    curve: Curve | None = None,
    stop: Stop = never,
    in_parts: InParts | None = None,
) -> Steps[Curve]:
    """Train `module` and return its learning curve.

    Every step draws from a generator of its own, made of seed and step, so a run that was
    killed and resumed takes the same steps as one that was not. Closing the generator saves
    the state, so that cancelling loses no step. Where `validate` gives a
    ``validation_loss``, the module ends with the weights that had the smallest.

    A step that runs out of an accelerator's memory is made again in twice as many parts, whose
    gradients add up to that of the step; only dropout draws otherwise.

    Parameters
    ----------
    draw : callable
        Given the step's random generator and the step, returns what its loss is taken of.
    validate : callable
        Returns what to log every `validate_every` steps and at the end.
    state_file : path, optional
        Where the state is kept between runs; read at the start where it exists. It is written
        every `save_every` steps, every minute, and at every end.
    curve : list, optional
        Where to write the learning curve as it grows, for those who watch.
    stop : callable
        Asked before every step; once it says so, the training ends as if this had been the
        last step, and its state is kept so that it can go on.
    in_parts : InParts, optional
        In how many parts a step is taken; shared by what must not take more at once.

    Raises
    ------
    OutOfMemory
        If memory does not suffice for the smallest part. The state is kept, so that the same
        training goes on from this very step on another device.
    """
    in_parts = in_parts or InParts()
    state = TrainingState(module, make_optimiser(module, config))
    if state_file is not None:
        state.resume(state_file)
    if curve is not None:
        curve[:] = [*curve, *state.curve]
        state.curve = curve
    saved_at_step, saved_at_s = state.step, time.monotonic()

    def keep() -> None:
        """Save what is not in the file, where there is one."""
        nonlocal saved_at_step, saved_at_s
        if state_file is None or not state.step:
            return
        if state.step > saved_at_step or not state_file.exists():
            state.save(state_file)
            saved_at_step, saved_at_s = state.step, time.monotonic()

    def is_due() -> bool:
        return state.step % validate_every == 0 or state.step == config.steps

    def check() -> None:
        """Validate what the newest row of the curve is about."""
        module.eval()
        with state.averaged():
            found = validate()
            if "validation_loss" in found:
                state.judge(found["validation_loss"])
        state.curve[-1] |= found

    if state.step and is_due() and not any(map(_is_of_validation, state.curve[-1])):
        # The memory did not suffice for this one.
        check()
    while state.step < config.steps and not 0 < config.patience <= state.waited:
        if stop():
            keep()
            break
        rng = np.random.default_rng([seed, state.step])
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate_at(state.step, config)
        module.train()
        try:
            loss, logged = _gradient(module, draw, rng, state.step, in_parts)
        except OutOfMemory:
            keep()
            raise
        nn.utils.clip_grad_norm_(module.parameters(), config.clip_norm)
        state.optimiser.step()
        state.step += 1
        state.follow(config.average_decay)
        state.curve.append({"step": float(state.step), "loss": loss} | logged)
        if is_due():
            try:
                check()
            except OutOfMemory:
                keep()
                # Those who watch get the row when it is whole.
                state.curve.pop()
                raise
        is_saved = state.step % save_every == 0 or time.monotonic() - saved_at_s > SAVE_EVERY_S
        if is_saved or state.step == config.steps:
            keep()
        try:
            yield Progress(
                state.step, config.steps, f"{stage}{in_parts.said} (loss {loss:.3f})"
            )
        except GeneratorExit:
            keep()
            raise
    final = state.best or state.average
    if final:
        module.load_state_dict(final)
    module.eval()
    return state.curve


def _gradient(
    module: nn.Module,
    draw: Callable[[np.random.Generator, int], Drawn],
    rng: np.random.Generator,
    step: int,
    in_parts: InParts,
) -> tuple[float, dict[str, float]]:
    """Put the gradient of a step into `module`; return its loss and what to log.

    Where memory does not suffice, `module` is left as it was.
    """
    seed = int(rng.integers(2**62))
    # A loss may move them, as that of the tokenizer does its codebook.
    buffers = {name: value.clone() for name, value in module.named_buffers()}

    def take(part: slice) -> tuple[float, dict[str, float]]:
        loss, logged = drawn.loss_of(part)
        loss.backward()
        return float(loss.detach()), logged

    def undo() -> None:
        module.zero_grad(set_to_none=True)
        module.load_state_dict(buffers, strict=False)
        torch.manual_seed(seed)

    module.zero_grad(set_to_none=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        drawn = draw(rng, step)
        found = in_parts.taken(drawn.n_windows, take, undo=undo)
    names = found[0][1]
    return sum(loss for loss, _ in found), {
        name: sum(logged[name] for _, logged in found) for name in names
    }


def _is_of_validation(name: str) -> bool:
    return name.startswith("validation_")
