"""Everything between the keyboard and the picture: which screen is on top, what a key does, what is asked and said.

Knows no Textual: keys come in as names, the picture goes out as lines, and the few things that need a terminal or an
event loop are asked of ``Effects``. So the whole cockpit can be driven by a test without a terminal.
"""

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from cockpit import actions, compose
from cockpit.keys import DOCTOR, LAUNCH, LIVE, LOG, MAIN, RUNS, SYSTEM, KeyMap
from cockpit.models.line_edit import LineEdit
from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.panes.chart import View
from cockpit.panes.system import summary
from cockpit.prompts import Menu, MenuItem, Prompt
from cockpit.render.lines import Lines
from cockpit.screens import Screen, Screens
from cockpit.services import engine
from cockpit.services.recommend import Serve
from cockpit.services.recommender import Recommender
from cockpit.services.system import Machine
from cockpit.services.watch import RunWatcher
from cockpit.settings import Settings

if TYPE_CHECKING:
    from cockpit.screens.doctor import DoctorScreen
    from cockpit.screens.launch import LaunchScreen
    from cockpit.screens.live import LiveScreen

MESSAGE_SECONDS = 6.0
# Actions that change something; a cockpit that may only read refuses them.
WRITING = (
    *("stop", "resume", "pin", "tags", "note", "archive", "undo", "start", "save"),
    *("pause", "sooner", "later", "front", "end"),
)


class Effects(Protocol):
    """What only the terminal app can do."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    def leave(self) -> None: ...
    def copy(self, text: str) -> None: ...
    def repaint(self) -> None: ...


Ask = Callable[..., Coroutine[Any, Any, engine.CommandResult]]


class Context:
    """What all screens share: runs, what is read of them, marks, the prompt, messages and the way back."""

    def __init__(
        self,
        root: Path,
        effects: Effects,
        settings: Settings | None = None,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
        ask: Ask = engine.ask,
        serve: Serve = Recommender,
        place: str = "",
    ) -> None:
        self.root, self.effects, self.clock = root, effects, clock
        self.ask, self.serve = ask, serve
        self.settings = settings or Settings()
        self.keys = KeyMap(self.settings.keys, place)
        self.read_only = read_only
        self.list = RunList()
        self.list.grouping = self.settings.group
        self.list.filter(self.settings.filter)
        self.watch = RunWatcher(root, clock, self.list)
        self.view = View(
            self.settings.smoothing, self.settings.log_y, self.settings.axis, symbols=self.settings.symbols
        )
        self.prompt: Prompt | None = None
        self.menu: Menu | None = None
        self.message: tuple[str, str, float] = ("", "", 0.0)  # text, style, until when
        self.attention = ""  # the run that the last warning was about
        self.undo: list[tuple[str, Callable[[], None]]] = []
        self.link = 0.0  # bytes a second that go to the terminal
        self.repeatable = ""
        self.screens = Screens(self)
        self.stack = [RUNS]

    # -- screens -------------------------------------------------------------------------------------------------

    @property
    def screen(self) -> Screen:
        return self.screens[self.stack[-1]]

    @property
    def row(self) -> Row | None:
        """The run that the screen on top is about."""
        return self.screen.row

    @property
    def live(self) -> "LiveScreen":
        return cast("LiveScreen", self.screens[LIVE])

    @property
    def doctor(self) -> "DoctorScreen":
        return cast("DoctorScreen", self.screens[DOCTOR])

    @property
    def form(self) -> "LaunchScreen":
        return cast("LaunchScreen", self.screens[LAUNCH])

    def show(self, name: str) -> None:
        """Put a screen on top; the main ones replace each other, the rest can be left again."""
        if name in MAIN:
            self.stack = [RUNS] if name == RUNS else [RUNS, name]
        elif self.stack[-1] != name:
            self.stack.append(name)

    def say(self, text: str, style: str = "") -> None:
        """Tell something in the bottom line for a few seconds."""
        self.message = (text, style, self.clock() + MESSAGE_SECONDS)

    def type(self, label: str, text: str, accept: Callable[[str], None], **more: Any) -> None:
        """Ask for a line of text."""
        self.prompt = Prompt(label, LineEdit(text), accept, **more)

    def choose(self, title: str, choices: list[MenuItem], accept: Callable[[str], None], cursor: int = 0) -> None:
        """Ask for one of several."""
        self.menu = Menu(title, choices, accept, cursor)

    # -- keys ----------------------------------------------------------------------------------------------------

    def key(self, name: str, character: str | None = None) -> None:
        """Take a key press."""
        if self.prompt is not None:
            self._prompt_key(self.prompt, name, character)
        elif self.menu is not None:
            self._menu_key(self.menu, name, character)
        else:
            found = self.keys.find(self.screen.name, name)
            if found is not None:
                self.act(found.action)
                return
            other = self.keys.elsewhere(name)
            shown = name if other is None else other.shown
            reason = (
                f"means {other.label!r} on {' and '.join(other.where)}, not here" if other else "has no meaning here"
            )
            self.say(f"{shown} {reason}; ? lists the keys", "warn")

    def paste(self, text: str) -> None:
        """Take pasted text: only where text is typed, so that a paste never acts."""
        if self.prompt is not None:
            self.prompt.edit.insert(text)
            if self.prompt.live:
                self.prompt.live(self.prompt.edit.text)
        elif self.menu is not None:
            self.menu.find.insert(text)

    def act(self, action: str) -> None:
        """Do what a key or the palette names, or say why that is impossible now."""
        reason = self.why_not(action)
        if reason:
            self.say(reason, "warn")
            return
        if action in ("pin", "archive", "mark", "stop", "resume", "export"):
            self.repeatable = action
        own = getattr(self.screen, f"do_{action}", None)
        if own is not None:
            own()
        else:
            actions.find(action)(self)

    def why_not(self, action: str) -> str:
        """Why an action is impossible now; empty when it is not."""
        if self.read_only and action in WRITING:
            return "this cockpit may only read (--read-only)"
        own = getattr(self.screen, f"why_not_{action}", None)
        if own is not None:
            return str(own())
        return "" if hasattr(self.screen, f"do_{action}") else actions.why_not(action, self)

    def _prompt_key(self, prompt: Prompt, name: str, character: str | None) -> None:
        if name == "escape":
            self.prompt = None
            if prompt.cancel:
                prompt.cancel()
        elif name == "enter":
            if not prompt.fault:
                self.prompt = None
                prompt.accept(prompt.edit.text)
        elif prompt.edit.key(name, character):
            if prompt.live:
                prompt.live(prompt.edit.text)
        elif prompt.other:
            prompt.other(name)

    def _menu_key(self, menu: Menu, name: str, character: str | None) -> None:
        if name == "escape":
            self.menu = None
            return
        value = menu.key(name, character)
        if value is not None:
            self.menu = None
            menu.accept(value)

    def click(self, x: int, y: int, across: int, down: int) -> None:
        """Take a mouse click: a key of the bottom line, or something on the screen."""
        if self.prompt is not None or self.menu is not None:
            return
        if y == down - 1:
            action = compose.footer_action(self, x, across)
            if action:
                self.act(action)
        elif y:
            self.screen.click(x, y - 1)

    # -- clocks --------------------------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Read for a few milliseconds; whether there is anything new to draw."""
        changed = self.watch.poll(self.screen.watched(), self.screen.name in (LIVE, LOG))
        own = getattr(self.screen, "poll", None)
        if own is not None:
            changed |= own()
        for run, text in self.watch.news:
            self.attention = run
            self.say(f"{text}   ! goes there", "warn")
        self.watch.news.clear()
        if self.message[0] and self.clock() > self.message[2]:
            self.message = ("", "", 0.0)
            changed = True
        return changed

    @property
    def behind(self) -> bool:
        """Whether there is more to read at once."""
        return self.watch.behind(self.screen.watched())

    def close(self) -> None:
        """End what a screen keeps running for itself; runs go on."""
        for screen in self.screens.values():
            end = getattr(screen, "close", None)
            if end is not None:
                end()

    def record_machine(self, system: Machine) -> bool:
        """Take a look at the machine; whether that changes the picture."""
        before = summary(self.watch.system)
        self.watch.record_machine(system)
        return self.screen.name in (LIVE, SYSTEM) or summary(system) != before

    def draw(self, across: int, down: int) -> Lines:
        """The whole picture."""
        return compose.draw(self, across, down)
