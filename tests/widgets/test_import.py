import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["napari_calm", "napari_calm.widgets.plugin"])
def test_importing_it_imports_neither_torch_nor_scikit_learn(module):
    code = (
        f"import sys, {module}; "
        "sys.exit(','.join(m for m in ('torch', 'sklearn') if m in sys.modules) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_importing_the_panel_does_not_import_torch():
    code = "import sys, napari_calm.widgets.panel; sys.exit('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_manifest_is_valid_and_its_commands_exist():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-calm")
    manifest.validate_imports()
    assert {command.id for command in manifest.contributions.commands} >= {
        "napari-calm.panel",
        "napari-calm.open_sample",
    }
