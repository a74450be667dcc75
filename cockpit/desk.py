"""Everything between the keyboard and the picture: which screen is on top, what a key does, what is watched.

Knows no Textual: keys come in as names, the picture goes out as lines, and the few things that need a terminal or an
event loop are asked of ``Effects``. So the whole cockpit can be driven by a test without a terminal.
"""

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

from cockpit import actions
from cockpit.keys import HELP, LAUNCH, LIVE, LOG, RUNS, KeyMap
from cockpit.models.line_edit import LineEdit
from cockpit.models.rows import Row
from cockpit.models.run_list import RunList
from cockpit.models.series import Series
from cockpit.panes.chart import View
from cockpit.panes.system import summary
from cockpit.prompts import Choice, Menu, Prompt
from cockpit.render.lines import Line, Lines, block, cells, ends, fit, overlay
from cockpit.screens.help import Help
from cockpit.screens.launch import Launch
from cockpit.screens.live import Live
from cockpit.screens.log import Log
from cockpit.screens.runs import Runs
from cockpit.services import engine
from cockpit.services.scan import Scanner, read_config
from cockpit.services.system import System
from cockpit.services.tail import Console, Follower
from cockpit.settings import Settings

SMALLEST = (60, 18)
SLICE = 0.005  # seconds that one kind of reading may take before keys are looked at again
FOLLOWED = 12  # runs whose events are kept in memory
MESSAGE_SECONDS = 6.0
ARRANGE_EVERY = 0.2  # seconds between two times the list is filtered and sorted, while it changes
AGES_EVERY = 10.0  # the same while nothing changes but the ages of runs
LISTEN_EVERY = 0.5  # seconds between two looks at a console: a scrolling log is what costs most bytes
# Actions that change something; a cockpit that may only read refuses them.
WRITING = ("stop", "resume", "pin", "tags", "note", "archive", "undo", "start")


class Effects(Protocol):
    """What only the terminal app can do."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    def leave(self) -> None: ...
    def copy(self, text: str) -> None: ...
    def repaint(self) -> None: ...


class Screen(Protocol):
    """One screen: ``name`` is its word in the key table, whose actions are its methods ``do_<action>``."""

    name: str

    @property
    def row(self) -> Row | None:
        """The run that actions are about."""

    def title(self) -> Line:
        """What the top line says beside the screen's name."""

    def draw(self, across: int, down: int) -> Lines: ...

    def watched(self) -> list[str]:
        """Runs whose events it shows, the most important first."""

    def click(self, x: int, y: int) -> None: ...


Ask = Callable[..., Coroutine[Any, Any, engine.Answer]]


class Desk:
    """What all screens share: runs, what is followed, marks, the prompt, messages and the way back."""

    def __init__(
        self,
        root: Path,
        effects: Effects,
        settings: Settings | None = None,
        *,
        read_only: bool = False,
        clock: Callable[[], float] = time.time,
        ask: Ask = engine.ask,
        place: str = "",
    ) -> None:
        self.root, self.effects, self.clock, self.ask = root, effects, clock, ask
        self.settings = settings or Settings()
        self.keys = KeyMap(self.settings.keys, place)
        self.read_only = read_only
        self.scanner = Scanner(root, clock)
        self.list = RunList()
        self.list.rows = self.scanner.rows
        self.list.grouping = self.settings.group
        self.list.filter(self.settings.filter)
        self.followers: dict[str, Follower] = {}
        self.consoles: dict[str, Console] = {}
        self.system = System()
        self.use: dict[str, Series] = {}  # share of each device over time, in percent
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
        self._warned: dict[str, str] = {}
        self._listened = 0.0
        self._arranged = -AGES_EVERY
        self._unarranged = True
        self.runs, self.live, self.form = Runs(self), Live(self), Launch(self)
        self.screens: dict[str, Screen] = {
            screen.name: screen for screen in (self.runs, self.live, self.form, Log(self), Help(self))
        }
        self.stack = [RUNS]

    # -- screens -------------------------------------------------------------------------------------------------

    @property
    def screen(self) -> Screen:
        return self.screens[self.stack[-1]]

    @property
    def row(self) -> Row | None:
        """The run that the screen on top is about."""
        return self.screen.row

    def show(self, name: str) -> None:
        """Put a screen on top; the main ones replace each other, the rest can be left again."""
        if name in (RUNS, LIVE):
            self.stack = [RUNS] if name == RUNS else [RUNS, LIVE]
        elif self.stack[-1] != name:
            self.stack.append(name)

    def say(self, text: str, style: str = "") -> None:
        """Tell something in the bottom line for a few seconds."""
        self.message = (text, style, self.clock() + MESSAGE_SECONDS)

    def type(self, label: str, text: str, accept: Callable[[str], None], **more: Any) -> None:
        """Ask for a line of text."""
        self.prompt = Prompt(label, LineEdit(text), accept, **more)

    def choose(self, title: str, choices: list[Choice], accept: Callable[[str], None], cursor: int = 0) -> None:
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
            getattr(actions, f"do_{action}")(self)

    def why_not(self, action: str) -> str:
        """Why an action is impossible now; empty when it is not."""
        if self.read_only and action in WRITING:
            return "this cockpit may only read (--read-only)"
        own = getattr(self.screen, f"why_not_{action}", None)
        if own is not None:
            return str(own())
        shared = getattr(actions, f"why_not_{action}", None)
        if shared is not None and not hasattr(self.screen, f"do_{action}"):
            return str(shared(self))
        return ""

    def _prompt_key(self, prompt: Prompt, name: str, character: str | None) -> None:
        if name == "escape":
            self.prompt = None
            if prompt.cancel:
                prompt.cancel()
        elif name == "enter":
            if not prompt.fault:
                self.prompt = None
                prompt.accept(prompt.edit.text)
        elif prompt.edit.key(name, character) and prompt.live:
            prompt.live(prompt.edit.text)

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
            at = 0
            for label, action in self._footer_parts(across):
                at += cells(label)
                if x < at:
                    self.act(action)
                    return
        elif y:
            self.screen.click(x, y - 1)

    # -- what is read --------------------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Read for a few milliseconds; whether there is anything new to draw."""
        now = self.clock()
        self._unarranged |= self.scanner.look(SLICE)
        self._unarranged |= self._read_configs()
        changed = False
        since = time.monotonic() - self._arranged
        if since > AGES_EVERY or (self._unarranged and since > ARRANGE_EVERY):
            self._arranged, self._unarranged, changed = time.monotonic(), False, True
            self.list.arrange(now)
            self._watch_health()
        for run in reversed(self.screen.watched()[:FOLLOWED]):
            changed |= self.follow(run).look(SLICE)
        if now - self._listened >= LISTEN_EVERY and self.screen.name in (LIVE, LOG) and self.consoles:
            self._listened = now
            changed |= list(self.consoles.values())[-1].look(SLICE)
        if self.message[0] and now > self.message[2]:
            self.message = ("", "", 0.0)
            changed = True
        return changed

    @property
    def behind(self) -> bool:
        """Whether there is more to read at once."""
        loading = any(self.follow(run).loading for run in self.screen.watched()[:1])
        return not self.scanner.complete or loading

    def follow(self, run: str) -> Follower:
        """What a run has reported; the runs that were looked at longest ago are forgotten."""
        follower = self.followers.pop(run, None) or Follower(self.root / run)
        self.followers[run] = follower
        while len(self.followers) > FOLLOWED:
            del self.followers[next(iter(self.followers))]
        return follower

    def console(self, run: str) -> Console:
        """The end of what a run printed."""
        console = self.consoles.pop(run, None) or Console(self.root / run)
        self.consoles[run] = console
        while len(self.consoles) > 3:
            del self.consoles[next(iter(self.consoles))]
        return console

    def _read_configs(self) -> bool:
        """Read settings of runs that something asks for, some at a time."""
        wanted = [run for run in self.screen.watched() if run in self.list.rows]
        wanted += [best.id for run in wanted if (best := self.list.best.get(self.list.rows[run].peers))]
        if self.list.needs_config:
            wanted += list(self.list.rows)
        start, changed = time.perf_counter(), False
        for run in wanted:
            row = self.list.rows.get(run)
            if row is not None and row.config is None:
                row.config, changed = read_config(self.root / run), True
                if time.perf_counter() - start > SLICE:
                    break
        return changed

    def _watch_health(self) -> None:
        """Say once when something about a run turns bad."""
        for row in self.list.rows.values():
            word = row.state if row.state in ("FAILED", "KILLED", "LOST") else row.level if row.open else ""
            before = self._warned.get(row.id)
            self._warned[row.id] = word
            if before is None or word == before or word in ("", "info"):
                continue
            notes = [f"{code}: {n.get('hint', '')}" for code, n in row.health.items() if n.get("level") == word]
            self.attention = row.id
            self.say(f"{row.stage} {row.name}: {notes[0] if notes else f'{word} {row.reason}'}   ! goes there", "warn")

    def saw_system(self, system: System) -> bool:
        """Take a look at the machine; whether that changes the picture."""
        before = summary(self.system)
        self.system = system
        shares = {"cpu": system.cpu} | {f"gpu{i}": gpu.busy for i, gpu in enumerate(system.gpus)}
        for name, share in shares.items():
            if share is not None:
                series = self.use.setdefault(name, Series())
                series.append(series.count, share * 100, system.time)
        return self.screen.name == LIVE or summary(system) != before

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        """The whole picture: top line, screen, bottom line, and what lies over them."""
        if across < SMALLEST[0] or down < SMALLEST[1]:
            text = f"cockpit needs {SMALLEST[0]} x {SMALLEST[1]} cells; this is {across} x {down}"
            return block([[], [(text, "warn")], [("Q leaves; runs go on", "dim")]], across, down)
        talk = down >= 30
        body = self.screen.draw(across, down - 2 - talk)
        lines = [self._header(across), *block(body, across, down - 2 - talk)]
        if talk:
            lines.append(fit(self._talk(across), across))
        bottom = self._talk(across) if not talk else []
        lines.append(fit(bottom or self._footer(across), across))
        if self.menu is not None:
            over = self.menu.draw(across, down - 2)
            left = max(0, (across - sum(cells(text) for text, _ in over[0])) // 2)
            lines = overlay(lines, over, max(1, (down - len(over)) // 3), left)
        return lines

    def _header(self, across: int) -> Line:
        names = {RUNS: "1 Runs", LIVE: "2 Live", LAUNCH: "Launch", LOG: "Log", HELP: "Help"}
        left: Line = [(" cockpit ▸ ", "dim"), (names[self.screen.name], "header"), *self.screen.title()]
        if self.read_only:
            left.append(("  read-only", "warn"))
        states = [row.state for row in self.list.rows.values()]
        counts = {"running": states.count("RUNNING"), "stalled": states.count("STALLED")}
        counts |= {"queued": states.count("QUEUED"), "waiting": states.count("WAITING")}
        parts = [f"{count} {word}" for word, count in counts.items() if count]
        right: Line = []
        if across >= 100 or self.screen.name == RUNS:
            right.append((" · ".join(parts), "run" if counts["running"] else "dim"))
        if across >= 120:
            right.append(("   " + summary(self.system), "dim"))
        if across >= 160:
            right.append(
                (
                    f"   link {self.link / 1000:.1f} kB/s   " + time.strftime("%H:%M", time.localtime(self.clock())),
                    "dim",
                )
            )
        return ends(left, [*right, (" ", "")], across)

    def _talk(self, across: int) -> Line:
        """The prompt, or what there is to say."""
        if self.prompt is not None:
            line = self.prompt.draw(across)
            fault = self.prompt.fault
            told = ("  ✗ " + fault, "bad") if fault else ("  " + self.prompt.hint, "dim")
            return [*line, told]
        text, style, _ = self.message
        return [(" " + text.replace("\n", "  "), style)] if text else []

    def _footer(self, across: int) -> Line:
        line: Line = []
        for label, _ in self._footer_parts(across):
            key, _, word = label.strip().partition(" ")
            line += [(" " + key, "key"), (" " + word + " ", "dim")]
        return line

    def _footer_parts(self, across: int) -> list[tuple[str, str]]:
        """(text, action) of the bottom line; help and commands stay when there is no room for all."""
        last = [(f" {key.shown} {key.label} ", key.action) for key in self.keys.always(self.screen.name)]
        room = across - sum(cells(text) for text, _ in last)
        parts: list[tuple[str, str]] = []
        for key in self.keys.footer(self.screen.name):
            text = f" {key.shown} {key.label} "
            if cells(text) > room:
                break
            parts.append((text, key.action))
            room -= cells(text)
        return parts + last
