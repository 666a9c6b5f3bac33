"""Which animals give nothing to training."""

HELD_OUT_EVERY = {"fly": 3, "worm": 2, "zebrafish": 2}


def is_held_out(species: str, number_in_sorted_names: int) -> bool:
    """Whether a species' recording of this number (from 0, by name) is kept for scoring.

    Every third fly, every second worm and zebrafish, starting with the first.

    Examples
    --------
    >>> [number for number in range(7) if is_held_out("fly", number)]
    [0, 3, 6]
    """
    return number_in_sorted_names % HELD_OUT_EVERY[species] == 0
