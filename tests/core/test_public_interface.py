import subprocess
import sys

import pytest

import napari_calm


@pytest.mark.parametrize("name", napari_calm.__all__)
def test_every_public_name_is_there(name):
    assert getattr(napari_calm, name).__module__.startswith("napari_calm.")


@pytest.mark.parametrize(
    "module", ["napari_calm", "napari_calm.cli", "napari_calm.core.recording"]
)
def test_importing_it_does_not_load_torch(module):
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'napari' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = napari_calm.nonsense
