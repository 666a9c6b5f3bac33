"""Put what the benchmarks found into docs/results.md.

    python benchmarks/results.py FORECAST_DIR TOKENIZER_DIR SIMULATED_DIR [--docs docs]

Each DIR is the --out of a benchmark. Tables are taken over as they are, under one heading
each; the figures that show no real trace are copied to docs/results/. What was tried and
learned stands in docs/experiments.md, which is written by hand.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

# Example traces are excerpts of recordings that state no licence, so they stay out.
FIGURES = ("*_horizon*.png", "*_reliability*.png", "simulated*.png")

HEAD = """# Results

Made by `python benchmarks/results.py` from the output of the benchmark commands; do not edit.
How to read it: everything is measured on recordings (or the parts of them) that gave nothing
to what is scored, beside references fitted to the training part of the very same recording.
What was tried on the way is in [experiments.md](experiments.md).
"""


def main() -> int:
    """Collect tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("found", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parents[1] / "docs")
    options = parser.parse_args()
    pictures = options.docs / "results"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    parts = [HEAD]
    for folder in options.found:
        tables = sorted(folder.glob("*.md"))
        if not tables:
            sys.exit(f"{folder}: no table (*.md); give the --out folder of a benchmark.")
        for table in tables:
            # Figures are linked below, where they lie in the docs.
            text = re.sub(r"^!\[.*\]\(.*\)\n", "", table.read_text("utf-8"), flags=re.MULTILINE)
            text = re.sub(r"^#", "##", text, flags=re.MULTILINE).strip()
            heading, _, rest = text.partition("\n")
            parts.append(f"{heading} ({folder.name})\n{rest}")
        for picture in sorted({path for glob in FIGURES for path in folder.glob(glob)}):
            # Several runs of one benchmark draw pictures of the same names.
            name = f"{folder.name}-{picture.name}"
            shutil.copy(picture, pictures / name)
            title = Path(name).stem.replace("_", " ")
            parts.append(f"![{title}](results/{name})")
    (options.docs / "results.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {options.docs / 'results.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
