"""Getting ready, while the user still looks around, what would make the window stand still."""

import functools
import gc
import threading
from importlib import import_module

from .label_colours import compile_label_colours

# What jobs import before they begin, scikit-learn and slow parts of scipy above all.
_LATE = (
    "napari_calm.extraction.extract",
    "napari_calm.explore.cluster",
    "napari_calm.explore.trajectories",
    "napari_calm.decoding.decode",
    "sklearn.cluster",
    "sklearn.mixture",
)


@functools.cache
def warm_up() -> threading.Thread:
    """Compile and import in a thread, once a process, what the first jobs need.

    Libraries bring so many objects that Python looks through all there are, for half a
    second in which nothing else runs. That is done here too, and not during a job.

    Returns
    -------
    threading.Thread
        The thread that does it, started.
    """
    thread = threading.Thread(target=_warm_up, name="warm up")
    thread.start()
    return thread


def _warm_up() -> None:
    compile_label_colours()
    for name in _LATE:
        import_module(name)
    gc.collect()
