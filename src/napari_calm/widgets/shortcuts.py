"""Keys for what is done often, bound in the viewer like napari's own."""

from collections.abc import Callable
from dataclasses import dataclass

from .session import Session


@dataclass(frozen=True)
class Shortcut:
    """A key in napari's notation, how it is written for people, and what it does."""

    key: str
    written: str
    told: str
    act: Callable[[], object]


class Shortcuts:
    """Binds keys to the session and to buttons; a layer's own keys go first.

    Parameters
    ----------
    buttons : mapping of str to (QAbstractButton, str, str)
        By key: the button that is pressed, the key as people write it, what it does.
    find : callable
        Puts the cursor where numbers of ROIs are typed.
    leave : callable
        Leaves what is going on, or the selection.
    help_here : callable
        Shows the help of where the user is.
    page : callable
        Scrolls the traces by a view, down (1) or up (-1).
    play : callable
        Plays or stops.
    """

    def __init__(
        self,
        viewer,
        session: Session,
        *,
        buttons: dict,
        find: Callable,
        leave: Callable,
        help_here: Callable,
        page: Callable[[int], object],
        play: Callable,
    ) -> None:
        self._viewer, self._session = viewer, session
        self.all = [
            Shortcut("N", "N", "select the next neuron", lambda: self._step(1)),
            Shortcut(
                "Shift-N", "Shift+N", "select the previous neuron", lambda: self._step(-1)
            ),
            Shortcut("K", "K", "keep: accept the selected neurons", lambda: self._judge(True)),
            Shortcut("R", "R", "reject the selected neurons", lambda: self._judge(False)),
            Shortcut("Escape", "Esc", "end the tour, or select nothing", leave),
            Shortcut("Control-F", "Ctrl+F", "find ROIs by number", find),
            Shortcut("PageDown", "Page Down", "scroll the traces down", lambda: page(1)),
            Shortcut("PageUp", "Page Up", "scroll the traces up", lambda: page(-1)),
            Shortcut("Shift-P", "Shift+P", "play at the recording's speed, or stop", play),
            Shortcut("F1", "F1", "help on where you are", help_here),
            *(
                Shortcut(key, written, told, button.click)
                for key, (button, written, told) in buttons.items()
            ),
        ]
        for shortcut in self.all:
            viewer.bind_key(shortcut.key, _acting(shortcut.act), overwrite=True)

    def close(self) -> None:
        """Give the keys back."""
        for shortcut in self.all:
            self._viewer.bind_key(shortcut.key, None, overwrite=True)

    def as_html(self) -> str:
        """Lay out all keys as a table, with what the mouse does."""
        mouse = (
            ("Click", "select an ROI; again for one below it"),
            ("Shift+click", "add an ROI, or take it out"),
            ("Ctrl+drag", "lasso; with Shift it adds"),
            ("Click in the traces", "move in time and mark the neuron; Shift takes it out"),
            ("Wheel in the traces", "zoom in time; with Shift scroll, with Ctrl taller rows"),
            ("+, -, 0 in the traces", "taller rows, lower ones, all of them"),
        )
        rows = [*mouse, *((each.written, each.told) for each in self.all)]
        return "<table>{}</table>".format(
            "".join(
                f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{told}</td></tr>"
                for key, told in rows
            )
        )

    def _step(self, way: int) -> None:
        recording = self._session.recording
        if recording is not None:
            last = self._session.selection[-1] if self._session.selection else -way
            self._session.select(((last + way) % recording.n_neurons,))

    def _judge(self, accepted: bool) -> None:
        self._session.set_accepted(self._session.selection, accepted)


def _acting(act: Callable[[], object]) -> Callable:
    def on_key(_viewer) -> None:
        act()

    return on_key
