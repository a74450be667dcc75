"""The state that screens and actions share, and what a screen is.

Imports neither screens nor actions: ``cockpit.dispatch`` and ``cockpit.compose`` are above and use all three.
Knows no Textual: what needs a terminal or an event loop is requested from ``Effects``, so a test can drive the whole
cockpit without a terminal.
"""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from cockpit.keys import LIVE, MAIN, RUNS, SYSTEM, Key, KeyMap
from cockpit.models.chart import View
from cockpit.models.endings import Ending
from cockpit.models.line_edit import LineEdit
from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.models.scroll import Scroll
from cockpit.panes.system import summary
from cockpit.prompts import Menu, MenuItem, Prompt
from cockpit.render.lines import Line, Lines
from cockpit.services import announce, engine
from cockpit.services.folders import Folders, single
from cockpit.services.recommender import RecommenderProcess, Serve
from cockpit.services.system import Machine
from cockpit.services.watch import RunWatcher
from cockpit.settings import Settings, path

MESSAGE_SECONDS = 6.0


class Effects(Protocol):
    """What only the terminal app can do."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    def leave(self) -> None: ...
    def copy(self, text: str) -> None: ...
    def announce(self, kind: str, title: str, text: str) -> None: ...
    def repaint(self) -> None: ...


class Screen:
    """Base of all screens: a text without runs.

    ``name`` is the screen's word in the key table; the methods ``do_<action>`` and ``why_not_<action>`` of a subclass
    take precedence over the shared functions in ``cockpit.actions``.
    """

    name = ""
    focus = ""  # name of the pane that has the focus
    zoomed = False  # whether that pane fills the screen

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.scroll = Scroll()

    @property
    def row(self) -> Row | None:
        """The run that actions apply to."""
        return None

    @property
    def page(self) -> int:
        """Lines of half a page."""
        return self.scroll.page

    def title(self) -> Line:
        """Text of the top line beside the screen's name."""
        return []

    def draw(self, across: int, down: int) -> Lines:
        """``down`` lines of ``across`` cells."""
        raise NotImplementedError

    def key_label(self, key: Key) -> str:
        """What a key of the bottom line does now."""
        return key.label

    def watched(self) -> list[str]:
        """Runs whose events the screen shows, the most important first."""
        return []

    def consoles(self) -> list[str]:
        """Runs whose consoles the screen shows."""
        return []

    def panes(self) -> Sequence[str]:
        """Panes that can have the focus, in tab order."""
        return ()

    def open(self, *subject: Any, **options: Any) -> None:
        """Prepare the screen for what ``Context.show`` was given."""

    def poll(self) -> bool:
        """Read what only this screen shows, for a few milliseconds; returns whether anything changed."""
        return False

    def move(self, by: int) -> None:
        """Scroll, or move the cursor."""
        self.scroll.move(by)

    def click(self, x: int, y: int) -> None:
        """Handle a mouse click on a cell of the screen."""

    def focused_picture(self, across: int, down: int) -> Lines:
        """The chart that has the focus, drawn for a picture with its legend; nothing where there is none."""
        return []

    def close(self) -> None:
        """Release what the screen holds, when the cockpit ends."""


class Context:
    """Runs and what was read of them, the screens and their stack, prompt and menu, messages, undo."""

    def __init__(
        self,
        root: Path | Folders,
        effects: Effects,
        settings: Settings | None = None,
        *,
        screens: Callable[["Context"], Mapping[str, Screen]],
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
        ask: engine.Ask = engine.ask,
        serve: Serve = RecommenderProcess,
        settings_file: str = "",
    ) -> None:
        self.folders = root if isinstance(root, Folders) else single(root)
        self.root, self.effects, self.clock = self.folders.main, effects, clock  # root: the folder of new runs
        self.ask, self.serve = ask, serve
        if self.folders.several:
            self.ask, self.serve = _ask_in(self.folders, ask), _serve_in(self.folders, serve)
        self.settings = settings or Settings()
        self.keys = KeyMap(self.settings.keys, settings_file)
        self.settings_file = Path(settings_file) if settings_file else path()
        self.read_only = read_only
        self.list = RunList()
        self.list.grouping = self.settings.group
        self.list.filter(self.settings.filter)
        self.list.folders = self.folders.several
        self.watch = RunWatcher(self.folders, clock, self.list)
        self.view = View(
            self.settings.smoothing, self.settings.log_y, self.settings.axis, symbols=self.settings.symbols
        )
        self.prompt: Prompt | None = None
        self.menu: Menu | None = None
        self.message: tuple[str, str, float] = ("", "", 0.0)  # text, style, time at which it expires
        self.attention = ""  # the run of the latest warning
        self.undo: list[tuple[str, Callable[[], None]]] = []
        self.link = 0.0  # bytes a second that go to the terminal
        self.repeatable = ""  # the action that the repeat key repeats
        self.screens = screens(self)
        self.stack = [RUNS]
        self.drawn: Lines = []  # the latest frame

    @property
    def screen(self) -> Screen:
        """The screen on top."""
        return self.screens[self.stack[-1]]

    @property
    def row(self) -> Row | None:
        """The run that actions on this screen apply to."""
        return self.screen.row

    @property
    def compares_models(self) -> bool:
        """Whether there is one result whose models can be compared; otherwise runs are."""
        return self.row is not None and self.row.has_result and self.row.state == "DONE" and len(self.list.marks) < 2

    def shown(self, words: Sequence[str]) -> str:
        """A command to copy, with the folder that ``ask`` would run it in."""
        return engine.shown(words, self.folders.of(words) or self.root)

    def show(self, name: str, *subject: Any, **options: Any) -> None:
        """Put a screen on top and open it on ``subject``.

        A main screen closes the others above the runs list and keeps the way back through main screens.
        """
        if subject or options:
            self.screens[name].open(*subject, **options)
        if name in MAIN:
            way = [one for one in self.stack if one in MAIN]
            self.stack = [*(way[: way.index(name)] if name in way else way), name]
        elif self.stack[-1] != name:
            self.stack.append(name)

    def notify(self, text: str, style: str = "") -> None:
        """Show a message for a few seconds."""
        self.message = (text, style, self.clock() + MESSAGE_SECONDS)

    def copy(self, text: str, label: str = "") -> None:
        """Put a text on the clipboard; the message shows ``label`` in its place."""
        self.effects.copy(text)
        self.notify(f"copied {label or text}")

    def open_prompt(self, label: str, text: str, accept: Callable[[str], None], **options: Any) -> None:
        """Request a line of text."""
        self.prompt = Prompt(label, LineEdit(text), accept, **options)

    def open_menu(self, title: str, items: Sequence[MenuItem], accept: Callable[[str], None], cursor: int = 0) -> None:
        """Request one of several values."""
        self.menu = Menu(title, items, accept, cursor)

    # -- clocks --------------------------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Read for a few milliseconds; returns whether there is anything new to draw."""
        changed = self.watch.poll(self.screen.watched(), self.screen.consoles())
        changed |= self.screen.poll()
        for run, text in self.watch.warnings:
            self.attention = run
            self.notify(f"{text}   ! opens it", "warn")
        self.watch.warnings.clear()
        for ending in self.watch.endings:
            self._announce(ending)
        self.watch.endings.clear()
        if self.message[0] and self.clock() > self.message[2]:
            self.message = ("", "", 0.0)
            changed = True
        return changed

    def _announce(self, ending: Ending) -> None:
        """Show an end, let the terminal notify, and run the person's command."""
        run = ending.runs[0]
        opens = "" if ending.experiment else "   ! opens it"
        if ending.failed and not ending.experiment:
            self.attention = run.id
        self.notify(ending.text + (opens if ending.failed else ""), "bad" if ending.failed else "ok")
        chosen = self.settings.notify_of
        if (chosen == "experiments" and not ending.experiment) or (chosen == "failures" and not ending.failed):
            return
        if self.settings.notify != "none":
            self.effects.announce(self.settings.notify, "cockpit", ending.text)
        if self.settings.notify_command:
            folder = self.folders.root(run.id) if ending.experiment else self.folders / run.id
            self.effects.spawn(self._run_command(ending.facts(str(folder))))

    async def _run_command(self, facts: dict[str, str]) -> None:
        error = await announce.run(self.settings.notify_command, facts)
        if error:
            self.notify(f"notify_command failed: {error}", "bad")

    @property
    def behind(self) -> bool:
        """Whether more could be read at once."""
        return self.watch.behind(self.screen.watched())

    def record_machine(self, machine: Machine) -> bool:
        """Record a reading of the machine; returns whether it changes what is shown."""
        before = summary(self.watch.machine)
        self.watch.record_machine(machine)
        return self.screen.name in (LIVE, SYSTEM) or summary(machine) != before

    def close(self) -> None:
        """End what the screens started for themselves; runs continue."""
        for screen in self.screens.values():
            screen.close()


def _ask_in(folders: Folders, ask: engine.Ask) -> engine.Ask:
    """``ask`` in the folder of the runs that the words of the command name."""

    async def in_folder(words: Sequence[str], runs: Path | None = None, *more: Any) -> engine.CommandResult:
        trouble = folders.trouble(words)
        if trouble:
            return engine.CommandResult(2, None, trouble)
        return await ask(words, runs and (folders.of(words) or runs), *more)

    return in_folder


def _serve_in(folders: Folders, serve: Serve) -> Serve:
    """``serve`` in the folder that a run lies in."""
    return lambda run, root: serve(run, folders.root(run))
