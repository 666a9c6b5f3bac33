import os

import pytest

from napari_calm.core import memory
from napari_calm.core.errors import CalmError


@pytest.mark.skipif(not os.path.exists("/proc/meminfo"), reason="Linux tells what is left")
def test_what_is_left_is_less_than_what_there_is():
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.free_bytes() < whole


def test_what_cannot_fit_is_refused_with_its_size_and_a_remedy(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 3 * 2**30)
    memory.check_room(2 * 2**30, "states", "Take fewer.")
    with pytest.raises(CalmError, match=r"states take 2\.8 GB of memory; 3\.0 GB are left"):
        memory.check_room(2.8 * 2**30, "states", "Take fewer.")
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    memory.check_room(1e15, "states", "Take fewer.")
