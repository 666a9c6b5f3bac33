"""Train the checkpoint of the forecast tables on the real training animals.

    python benchmarks/train_real.py --data DIR --out MODEL [--config configs/calm-real.toml]

DIR is laid out as for `benchmarks/forecast.py`: a folder a species with npz recordings.
Held-out animals (`held_out.py`) are not even opened; of the others the first 70 % in time is
trained on, and the rest only says when to stop. The checkpoint lists what it saw. It is not
shipped: most of the recordings state no licence.
"""

import argparse
import sys
import time
from pathlib import Path

from forecast_protocol import DEFAULT_RATE_HZ, read_traces
from held_out import HELD_OUT_EVERY, is_held_out

from napari_calm.core.recording import Recording
from napari_calm.train.config import read_pretrain_config
from napari_calm.train.pretrain import pretrain_steps

CONFIG = Path(__file__).parents[1] / "configs" / "calm-real.toml"


def training_animals(data: Path) -> list[Recording]:
    """Read the recordings that are not held out, as the forecast benchmark does."""
    recordings = []
    for species in sorted(HELD_OUT_EVERY):
        for number, path in enumerate(sorted((data / species).glob("*.npz"))):
            if not is_held_out(species, number):
                recordings.append(read_traces(path, DEFAULT_RATE_HZ)[0])
    if not recordings:
        sys.exit(f"{data}: no recordings; expected folders {', '.join(HELD_OUT_EVERY)} of npz.")
    return recordings


def main() -> int:
    """Train, printing progress."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--restart", action="store_true", help="forget an unfinished run")
    options = parser.parse_args()
    recordings = training_animals(options.data)
    print(f"{len(recordings)} training recordings", flush=True)
    steps = pretrain_steps(
        read_pretrain_config(options.config),
        options.out,
        recordings=recordings,
        restart=options.restart,
    )
    start = told = time.perf_counter()
    for progress in steps:
        if time.perf_counter() - told > 30:
            told = time.perf_counter()
            print(f"{told - start:5.0f} s  {progress.stage} {progress.done}/{progress.total}")
    print(f"wrote {options.out} after {(time.perf_counter() - start) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
