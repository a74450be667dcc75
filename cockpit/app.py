"""The Textual app around the context: keys in, lines out, timers, and back-pressure for slow terminals.

One timer reads, one paints. A frame is skipped while the terminal has not taken the previous one, so a slow connection
reduces the frame rate and does not delay keys.
"""

import asyncio
import gc
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.screen import Screen

from cockpit import dispatch
from cockpit.compose import draw
from cockpit.context import Context
from cockpit.frame import Frame
from cockpit.keys import SYSTEM
from cockpit.render.cell_diff import FrontBuffer, Unreadable
from cockpit.screens import Screens
from cockpit.services import announce
from cockpit.services.folders import Folders
from cockpit.services.system import Meter
from cockpit.settings import Settings
from cockpit.theme import palette

PAINT_EVERY = 0.25  # seconds
READ_EVERY = 0.2
METER_EVERY = 1.0
CATCH_UP_EVERY = 0.001
REST_AFTER = 3.0  # seconds without a key
REST = 5  # while no run is at work, one of so many reads is done
LEFT = "cockpit closed. Runs continue; to return: cockpit"
SLOW = 4  # factor of the intervals with --low-bandwidth


class Cockpit(App[None], inherit_bindings=False):
    """Textual's part of the cockpit."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { background: ansi_default; } "

    def __init__(
        self,
        root: Path | Folders,
        settings: Settings,
        *,
        read_only: bool = False,
        settings_file: str = "",
        colours: int | None = None,
    ) -> None:
        super().__init__(ansi_color=True)
        self.settings = settings
        self.context = Context(root, self, settings, screens=Screens, read_only=read_only, settings_file=settings_file)
        self._frame = Frame(palette(colour_depth(settings) if colours is None else colours))
        self._meter = Meter(self.context.root)
        self._front: FrontBuffer | None = None
        self._diff = settings.cell_diff
        self._sent = 0
        self._sent_at = time.monotonic()
        self._dirty = True
        self._catching_up = False
        self._rest = self._measured = 0
        self._touched = time.monotonic()

    def compose(self) -> ComposeResult:
        yield self._frame

    def on_mount(self) -> None:
        slow = SLOW if self.settings.low_bandwidth else 1
        self._read()
        self.set_interval(READ_EVERY * min(slow, 2), self._read)
        self.set_interval(PAINT_EVERY * slow, self._paint)
        self.set_interval(METER_EVERY * slow, self._measure)
        self.call_after_refresh(self._first_paint)

    def on_unmount(self) -> None:
        self.context.close()

    def _first_paint(self) -> None:
        self._paint(now=True)
        self._measure()
        gc.collect()
        gc.freeze()  # objects of the start stay: later collections skip them

    # -- clocks --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read what changed; less often while no run is at work and no key is pressed."""
        self._rest = (self._rest + 1) % REST
        if self._resting and self._rest:
            return
        self._dirty |= self.context.tick()
        if self.context.behind and not self._catching_up:
            self._catching_up = True
            self.set_timer(CATCH_UP_EVERY, self._catch_up)

    @property
    def _resting(self) -> bool:
        return not self.context.list.working and time.monotonic() - self._touched > REST_AFTER

    def _catch_up(self) -> None:
        """A long list or history: continue as soon as pending keys are handled."""
        self._dirty |= self.context.tick()
        self._catching_up = self.context.behind
        if self._catching_up:
            self.set_timer(CATCH_UP_EVERY, self._catch_up)
        else:
            self._paint()  # at once instead of with the next interval

    def _paint(self, now: bool = False) -> None:
        """Draw, unless nothing changed or the terminal is still busy with the last frame."""
        if not (now or self._dirty) or self._waiting():
            self._dirty |= now
            return
        self._dirty = False
        size = self.size
        if size.width and size.height:
            self._frame.show(draw(self.context, size.width, size.height))

    def _waiting(self) -> bool:
        """Whether the terminal has not taken everything yet."""
        writer = getattr(self._driver, "_writer_thread", None)
        queue = getattr(writer, "_queue", None)
        return queue is not None and queue.qsize() > 0

    def _measure(self) -> None:
        elapsed = time.monotonic() - self._sent_at
        if elapsed > 0.5:
            self.context.link = 0.7 * self.context.link + 0.3 * self._sent / elapsed
            self._sent, self._sent_at = 0, time.monotonic()
        self._measured = (self._measured + 1) % REST
        if self._resting and self._measured:
            return
        self.run_worker(self._read_machine(), exclusive=True, group="machine")

    async def _read_machine(self) -> None:
        everything = self.context.screen.name == SYSTEM
        self._dirty |= self.context.record_machine(await asyncio.to_thread(self._meter.poll, everything))

    # -- keys and mouse ------------------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self._touched = time.monotonic()
            dispatch.key(self.context, event.key, event.character)
            self._paint(now=True)
            return
        await super().on_event(event)

    def on_paste(self, event: events.Paste) -> None:
        dispatch.paste(self.context, event.text)
        self._paint(now=True)

    def on_frame_clicked(self, event: Frame.Clicked) -> None:
        dispatch.click(self.context, event.x, event.y, self.size.width, self.size.height)
        self._paint(now=True)

    def on_mouse_scroll_down(self) -> None:
        dispatch.key(self.context, "down")
        self._dirty = True

    def on_mouse_scroll_up(self) -> None:
        dispatch.key(self.context, "up")
        self._dirty = True

    def on_resize(self) -> None:
        self._front = None
        self._dirty = True
        self.call_after_refresh(self._paint, True)

    # -- effects -------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.run_worker(self._painted(work), group="engine")

    async def _painted(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._paint(now=True)

    def leave(self) -> None:
        self.exit(message=LEFT)

    def copy(self, text: str) -> None:
        self.copy_to_clipboard(text)

    def announce(self, kind: str, title: str, text: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(announce.sequence(kind, title, text, tmux=bool(os.environ.get("TMUX"))))
            self._driver.flush()

    def repaint(self) -> None:
        self._front = None
        self.refresh(repaint=True, layout=True)
        self._frame.refresh()

    # -- what goes to the terminal -------------------------------------------------------------------------------

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send only changed cells; once an update of Textual cannot be read, its own output from then on."""
        driver = self._driver
        usual = not self._diff or self._batch_count or self.is_headless or driver is None or driver.is_inline
        if usual or not isinstance(renderable, CompositorUpdate) or not self._running or self._closed:
            super()._display(screen, renderable)
            return
        size = self.size
        if self._front is None or (self._front.width, self._front.height) != (size.width, size.height):
            self._front = FrontBuffer(size.width, size.height)
        try:
            text = self._front.patch(renderable, self.console)
        except Unreadable:
            self._diff = False
            super()._display(screen, renderable)
            return
        if text and driver is not None:
            self._begin_update()
            driver.write(text)
            self._end_update()
            driver.flush()
            self._sent += len(text.encode())
        self.post_display_hook()


def colour_depth(settings: Settings) -> int:
    """Number of colours: from the settings, or from NO_COLOR, COLORTERM and TERM."""
    if settings.colours != "auto":
        return {"256": 256, "16": 16, "none": 0}[settings.colours]
    if os.environ.get("NO_COLOR"):
        return 0
    term = os.environ.get("TERM", "")
    return 256 if os.environ.get("COLORTERM") in ("truecolor", "24bit") or "256color" in term else 16
