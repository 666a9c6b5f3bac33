"""The session in `sample_data`: where it is, and how it is made again."""

from pathlib import Path
from typing import Any

from ..core.errors import CalmError
from ..core.progress import Steps, run
from .folder import write_session_folder_steps
from .movie import render_movie_steps
from .session import simulate_session

SAMPLE_SESSION: dict[str, Any] = {"seed": 7, "n_neurons": 48, "n_trials": 8}
SAMPLE_MOVIE: dict[str, Any] = {"image_shape": (96, 96), "dtype": "uint8"}


def write_sample_steps(folder: str | Path) -> Steps[Path]:
    """Make the sample session again, byte for byte, and write it to `folder`."""
    session = simulate_session(**SAMPLE_SESSION)
    rendered = yield from render_movie_steps(session, **SAMPLE_MOVIE)
    return (yield from write_session_folder_steps(session, rendered, folder))


def write_sample(folder: str | Path) -> Path:
    """Make the sample session again, byte for byte, and write it to `folder`."""
    return run(write_sample_steps(folder))


def sample_folder() -> Path:
    """Find the sample session that comes with napari-calm.

    Returns
    -------
    pathlib.Path
        The folder in the installed package or, in a checkout, at its top.

    Raises
    ------
    CalmError
        If it is in neither place.
    """
    package = Path(__file__).parents[1]
    places = [package / "sample_data", package.parents[1] / "sample_data"]
    for place in places:
        if (place / "movie.tif").is_file():
            return place
    raise CalmError(
        f"sample data: found no movie.tif in {' or '.join(map(str, places))}. Install "
        "napari-calm again, or make the sample with `napari-calm simulate --sample --out "
        "sample_data`."
    )
