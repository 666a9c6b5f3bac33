"""What a pretraining is to be made of: configuration, recordings, and where it goes."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QSizePolicy

from ..train.bundled_configs import bundled_configs, description_of
from .path_field import FolderField

_OWN = "Choose file..."
_DEFAULT = "calm-mini"
_STATE, _MODEL = "training", "model.safetensors"


@dataclass(frozen=True)
class PretrainRequest:
    """What is to be trained.

    Parameters
    ----------
    config_file : str
        A TOML file; not looked at where an unfinished training goes on.
    folder : str
        Recordings; empty for those that the configuration simulates.
    simulated_too : bool
        Whether those are added to the folder's.
    out : pathlib.Path
    device : str
    restart : bool
        Forget an unfinished training in `out`.
    """

    config_file: str
    folder: str
    simulated_too: bool
    out: Path
    device: str
    restart: bool

    def config(self):
        """Read the configuration: that of the training that goes on, or the chosen one.

        Raises
        ------
        ConfigError
            If it cannot be read or contradicts itself.
        """
        from ..core.errors import ConfigError
        from ..train.config import pretrain_config, read_pretrain_config

        if not self.restart and is_unfinished(self.out):
            file = self.out / _STATE / "config.json"
            try:
                return pretrain_config(json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"{file}: the configuration of the unfinished training cannot be read "
                    f"({error}). Tick 'Start afresh', or choose another output folder."
                ) from error
        config = read_pretrain_config(self.config_file)
        if not self.folder:
            return config
        data = replace(config.data, folder=str(Path(self.folder).resolve()))
        if not self.simulated_too:
            data = replace(data, simulated=(), populations=())
        return replace(config, data=data)


class PretrainChoices(QObject):
    """The fields.

    Signals
    -------
    changed
        Another choice was made.
    """

    changed = Signal()

    def __init__(self, devices: QComboBox) -> None:
        super().__init__()
        self._configs = {name: str(path) for name, path in bundled_configs().items()}
        self.config = QComboBox(objectName="calm_pretrain_config")
        self.config.setMinimumContentsLength(8)
        self.config.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.config.setToolTip(
            "Networks, steps and seed of the training: one of the configurations that come "
            "with CalM, or a TOML file of your own. calm-real goes on from calm-mini, which "
            "suits a few recordings; calm-mini begins from nothing."
        )
        self._chosen = self._configs.get(_DEFAULT, "")
        self._fill()
        self.folder = FolderField(
            "calm_pretrain_folder",
            "Folder of recordings",
            "A folder whose entries are recordings: npz files, suite2p folders and others that "
            "CalM opens. Without one, the recordings that the configuration simulates.",
            empty="simulated recordings",
        )
        self.simulated = QCheckBox("simulated too", objectName="calm_pretrain_simulated")
        self.simulated.setToolTip(
            "Train on the recordings that the configuration simulates beside those of the "
            "folder."
        )
        self.out = FolderField(
            "calm_pretrain_out",
            "Output folder",
            "Gets the model. An unfinished training in it goes on where it was last saved.",
            empty="a new folder",
        )
        self.device = QComboBox(objectName="calm_pretrain_device")
        # The same entries, of which those that this machine lacks are greyed out.
        self.device.setModel(devices.model())
        self.device.setToolTip("Where the networks are trained.")
        self.restart = QCheckBox("Start afresh", objectName="calm_pretrain_restart")
        self.restart.setToolTip("Forget what the output folder holds, and train from step 1.")
        self.config.activated.connect(self._on_config)
        for field in (self.folder, self.out):
            field.changed.connect(self._on_changed)
        for box in (self.restart, self.simulated):
            box.toggled.connect(self._on_changed)
        self._on_changed()

    def add_rows(self, form: QFormLayout) -> None:
        """Put the fields into a form."""
        form.addRow("Config", self.config)
        form.addRow("Recordings", self.folder)
        form.addRow("", self.simulated)
        form.addRow("Output", self.out)
        form.addRow("Device", self.device)
        form.addRow("", self.restart)

    def set_enabled(self, enabled: bool) -> None:
        """Let the choices be made, or not."""
        goes_on = self.goes_on
        for field in (self.config, self.folder):
            field.setEnabled(enabled and not goes_on)
        self.simulated.setEnabled(enabled and not goes_on and bool(self.folder.path))
        for field in (self.out, self.device, self.restart):
            field.setEnabled(enabled)

    @property
    def goes_on(self) -> bool:
        """Whether an unfinished training is to be continued."""
        return (
            bool(self.out.path)
            and not self.restart.isChecked()
            and is_unfinished(Path(self.out.path))
        )

    def request(self) -> PretrainRequest:
        """Return what was chosen."""
        return PretrainRequest(
            config_file=self._chosen,
            folder=self.folder.path,
            simulated_too=self.simulated.isChecked(),
            out=Path(self.out.path).absolute(),
            device=self.device.currentText(),
            restart=self.restart.isChecked(),
        )

    def missing(self) -> str:
        """Say what has to be chosen first, or nothing."""
        if not self.out.path:
            return "Choose an output folder first."
        out = Path(self.out.path)
        if out.exists() and not out.is_dir():
            return f"{out} is a file; choose a folder for the output."
        if self.goes_on:
            return ""
        if (out / _MODEL).exists() and not self.restart.isChecked():
            return (
                f"{out.name} holds a finished model. Choose another output folder, or tick "
                "'Start afresh' to train it anew."
            )
        if self.folder.path and not Path(self.folder.path).is_dir():
            return f"Recordings: there is no folder {self.folder.path}."
        return "" if self._chosen else "Choose a configuration first."

    def choose_config(self, path: str) -> None:
        """Choose a configuration file."""
        if path not in self._configs.values():
            self._configs[Path(path).stem] = path
        self._chosen = path
        self._fill()
        self.changed.emit()

    def _fill(self) -> None:
        self.config.clear()
        for name, path in self._configs.items():
            self.config.addItem(name, path)
            told = description_of(path)
            self.config.setItemData(self.config.count() - 1, told, Qt.ItemDataRole.ToolTipRole)
        self.config.addItem(_OWN, "")
        self.config.setCurrentIndex(max(0, self.config.findData(self._chosen)))

    def _on_config(self, row: int) -> None:
        if self.config.itemText(row) != _OWN:
            self.choose_config(self.config.itemData(row))
            return
        self.config.setCurrentIndex(max(0, self.config.findData(self._chosen)))
        path, _ = QFileDialog.getOpenFileName(
            self.config, "Training configuration", "", "Configurations (*.toml)"
        )
        if path:
            self.choose_config(path)

    def _on_changed(self, *_what) -> None:
        self.changed.emit()


def is_unfinished(out: Path) -> bool:
    """Whether a folder holds a training that was begun and not ended."""
    state = out / _STATE
    return (state / "config.json").is_file() and any(
        (state / f"{name}.pt").is_file() for name in ("tokenizer", "dynamics")
    )


def holds_model(out: Path) -> bool:
    """Whether a folder holds a model that can be used."""
    return (out / _MODEL).is_file()
