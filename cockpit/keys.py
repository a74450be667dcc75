"""The one table of keys. Dispatch, footer, help screen and command palette are all read from it.

A key names an action; a screen that is listed in ``where`` has a method ``do_<action>``, and may have a method
``why_not_<action>`` that says why the action is impossible now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from engine.errors import ConfigError

RUNS, LIVE, COMPARE, QUEUE, SYSTEM, RECOMMEND = "runs", "live", "compare", "queue", "system", "recommend"
LAUNCH, LOG, DOCTOR, HELP = "launch", "log", "doctor", "help"
# Every screen, and what the top line calls it; the class is ``<Name>`` in cockpit/screens/<name>.py.
SCREENS = {
    RUNS: "1 Runs",
    LIVE: "2 Live",
    COMPARE: "3 Compare",
    QUEUE: "4 Queue",
    SYSTEM: "5 System",
    RECOMMEND: "6 Recommend",
    LAUNCH: "Launch",
    LOG: "Log",
    DOCTOR: "Doctor",
    HELP: "Help",
}
MAIN = tuple(name for name, title in SCREENS.items() if title[0].isdigit())  # these replace each other
EVERYWHERE = tuple(SCREENS)
OF_RUNS = (RUNS, LIVE, QUEUE, SYSTEM, LOG)  # screens on which there is a run to act on
CHARTS = (RUNS, LIVE, COMPARE)
CURSORS = (LIVE, COMPARE, LAUNCH)
ZOOMED = (LIVE, COMPARE)
PANES = (LIVE, COMPARE, SYSTEM, LAUNCH)


def _besides(*screens: str) -> tuple[str, ...]:
    return tuple(name for name in SCREENS if name not in screens)


def caption(screen: str) -> str:
    """A screen's name for people, without the digit of its key."""
    return SCREENS[screen].lstrip("0123456789 ")


# How a key is written for people; any other is written as Textual names it.
SHOWN = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "full_stop": ".",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "plus": "+",
    "equals_sign": "=",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "minus": "-",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


@dataclass(frozen=True)
class Key:
    """The keys of one action on some screens; an action may have another label elsewhere."""

    action: str
    keys: tuple[str, ...]
    label: str
    help: str
    where: tuple[str, ...]

    @property
    def shown(self) -> str:
        return SHOWN.get(self.keys[0], self.keys[0]) if self.keys else ""


TABLE: tuple[Key, ...] = (
    Key("down", ("j", "down"), "down", "next line", EVERYWHERE),
    Key("up", ("k", "up"), "up", "line before", EVERYWHERE),
    Key("page_down", ("ctrl+d", "pagedown"), "page down", "half a page down", EVERYWHERE),
    Key("page_up", ("ctrl+u", "pageup"), "page up", "half a page up", EVERYWHERE),
    Key("first", ("g", "home"), "first", "first line", EVERYWHERE),
    Key("last", ("G", "end"), "last", "last line", EVERYWHERE),
    Key("left", ("h", "left"), "left", "cursor of the charts one step back; other column of the form", CURSORS),
    Key("right", ("l", "right"), "right", "cursor of the charts one step on; other column of the form", CURSORS),
    Key("left", ("h", "left"), "left", "list of the model before", (RECOMMEND,)),
    Key("right", ("l", "right"), "right", "list of the next model", (RECOMMEND,)),
    Key("pane", ("tab",), "pane", "next pane", PANES),
    Key("pane_back", ("shift+tab",), "pane back", "pane before", PANES),
    Key("open", ("enter",), "open", "open the run", (RUNS, QUEUE, SYSTEM)),
    Key("open", ("enter",), "zoom", "the focused pane on the whole screen", (LIVE, COMPARE)),
    Key("open", ("enter",), "edit", "edit the setting, or make the stage the target", (LAUNCH,)),
    Key("open", ("enter",), "add", "put the item under the cursor into the history", (RECOMMEND,)),
    Key("filter", ("slash",), "filter", "filter the runs", (RUNS, LIVE)),
    Key("filter", ("slash",), "find", "find a setting by name or meaning", (LAUNCH,)),
    Key("filter", ("slash",), "search", "search the console", (LOG,)),
    Key("filter", ("slash",), "user", "pick a held-out user by id", (RECOMMEND,)),
    Key("title", ("t",), "titles", "type titles, with completion: they become the history", (RECOMMEND,)),
    Key("next", ("n",), "next", "next match", (LOG,)),
    Key("previous", ("N",), "previous", "match before", (LOG,)),
    Key("next", ("n",), "next user", "next held-out user", (RECOMMEND,)),
    Key("previous", ("N",), "user before", "held-out user before", (RECOMMEND,)),
    Key(
        "mark", ("space",), "mark", "mark a run: its curves are laid over others, actions take all marked", (RUNS, LIVE)
    ),
    Key("mark", ("space",), "target", "make the stage the target, or edit the setting", (LAUNCH,)),
    Key("range", ("v",), "mark range", "mark everything from the last mark to here", (RUNS,)),
    Key("metric", ("m",), "metric", "choose what the charts show", CHARTS),
    Key("beside", ("B",), "second metric", "lay another metric over the focused chart, or take it off", (LIVE,)),
    Key("zoom", ("z",), "zoom", "one chart or pane on the whole screen, and back", (LIVE, COMPARE)),
    Key("closer", ("plus", "equals_sign"), "closer", "half as much of the x axis, around the cursor", ZOOMED),
    Key("farther", ("minus",), "farther", "twice as much of the x axis", ZOOMED),
    Key("pan_left", ("less_than_sign",), "pan left", "the part of the x axis before", ZOOMED),
    Key("pan_right", ("greater_than_sign",), "pan right", "the part of the x axis after", ZOOMED),
    Key("whole", ("0",), "whole", "the whole x axis", ZOOMED),
    Key("smooth", ("s",), "smooth", "smoothing of the curves: none, .6, .9, .98", CHARTS),
    Key("log_scale", ("o",), "log-y", "logarithmic y axis", CHARTS),
    Key("axis", ("X",), "x-axis", "x axis: step, epoch, time", CHARTS),
    Key("layer", ("right_curly_bracket",), "layer", "gate of the next layer", (LIVE,)),
    Key("layer_back", ("left_curly_bracket",), "layer back", "gate of the layer before", (LIVE,)),
    Key("group", ("w",), "group", "group the runs by experiment, stage, nothing", (RUNS,)),
    Key("group", ("w",), "group", "what is one group: runs that differ by seed, an experiment, each run", (COMPARE,)),
    Key("base", ("B",), "base", "hold the others against the next group", (COMPARE,)),
    Key("bands", ("b",), "bands", "show or hide the range of the seeds", (COMPARE,)),
    Key("archived", ("H",), "archived", "show or hide archived runs", (RUNS,)),
    Key(
        "sidebar",
        ("left_square_bracket", "right_square_bracket"),
        "sidebar",
        "show or hide the run list or the preview",
        (RUNS, LIVE),
    ),
    Key("follow", ("f",), "follow", "follow the log to its end", (LIVE, LOG)),
    Key("errors", ("E",), "errors", "only lines that tell of errors and warnings", (LOG,)),
    Key("launch", ("a",), "launch", "add a run: stage graph and form", OF_RUNS),
    Key("rerun", ("r",), "re-run", "the form with this run's settings, to edit and run again", OF_RUNS),
    Key("stop", ("x",), "stop", "stop the run: after its evaluation, now, or kill", (RUNS, LIVE, SYSTEM, LOG)),
    Key("stop", ("x",), "cancel", "take the run out of the queue, or stop it when it is at work", (QUEUE,)),
    Key("pause", ("p",), "pause", "hold the run back while others pass it, or let it go on", (QUEUE,)),
    Key("later", ("J",), "later", "after the next one in the line", (QUEUE,)),
    Key("sooner", ("K",), "sooner", "before the one that stands before it", (QUEUE,)),
    Key("front", ("T",), "front", "to the front of its line", (QUEUE,)),
    Key("end", ("B",), "end", "to the end of its line", (QUEUE,)),
    Key("resume", ("R",), "resume", "go on with a run that ended early", OF_RUNS),
    Key("doctor", ("D",), "doctor", "have the doctor look at the run", (RUNS, LIVE, LOG)),
    Key("doctor", ("D",), "doctor", "have the doctor look at what the form says", (LAUNCH,)),
    Key("doctor", ("D",), "look again", "have the doctor look once more", (DOCTOR,)),
    Key("pin", ("p",), "pin", "keep the run at the top of the list", (RUNS, LIVE)),
    Key("tags", ("t",), "tags", "edit the tags of the run, or of all marked runs", (RUNS, LIVE)),
    Key("note", ("i",), "note", "edit the note of the run", (RUNS, LIVE)),
    Key("archive", ("A",), "archive", "hide the run, or all marked runs, from the list", (RUNS,)),
    Key("undo", ("u",), "undo", "undo the last change of tags, notes, pins, archive or form", (RUNS, LIVE, LAUNCH)),
    Key("export", ("e",), "export", "write the marked runs and this one to CSV", (RUNS, LIVE)),
    Key("export", ("e",), "export", "write the metrics to CSV, as engine compare --csv does", (COMPARE,)),
    Key(
        "copy",
        ("y",),
        "copy",
        "copy the run's id or the command line",
        (RUNS, LIVE, COMPARE, QUEUE, SYSTEM, RECOMMEND, LAUNCH),
    ),
    Key("refresh", ("ctrl+r",), "refresh", "compare once more", (COMPARE,)),
    Key("start", ("ctrl+r",), "run it", "start what the form says", (LAUNCH,)),
    Key("preset", ("p",), "preset", "start from a named experiment", (LAUNCH,)),
    Key("save", ("ctrl+s", "S"), "save", "save the settings as an experiment of your own", (LAUNCH,)),
    Key("list_runs", ("v",), "list", "every combination of a sweep", (LAUNCH,)),
    Key("reset", ("backspace", "delete"), "reset", "give the setting its value back", (LAUNCH,)),
    Key(
        "order", ("o",), "order", "users as in the data, most gained by distillation first, or most lost", (RECOMMEND,)
    ),
    Key("reset", ("backspace", "delete"), "remove", "take the latest title out of the history", (RECOMMEND,)),
    Key("clear", ("c",), "clear", "begin with an empty history", (RECOMMEND,)),
    Key("models", ("m",), "run", "choose the run whose models are asked", (RECOMMEND,)),
    Key("length", ("z",), "length", "length of the lists: 10, 20, 50", (RECOMMEND,)),
    Key("seen", ("s",), "seen", "list items of the history too, or leave them out", (RECOMMEND,)),
    Key(
        "live_teacher",
        ("T",),
        "teacher",
        "ask the teacher live where it has written no answer, or do not",
        (RECOMMEND,),
    ),
    Key("changed", ("d",), "changed only", "only settings that differ", (LAUNCH,)),
    Key("changed", ("d",), "all settings", "also settings that are the same, and back", (COMPARE,)),
    Key("check", ("c",), "checks", "run the checks before: doctor, one batch", (LAUNCH,)),
    Key("repeat", ("full_stop",), "repeat", "do the last action again", (RUNS, LIVE)),
    Key("show_runs", ("1",), "Runs", "all runs", EVERYWHERE),
    Key("show_live", ("2",), "Live", "curves, gradients and gates of one run", EVERYWHERE),
    Key("show_compare", ("3", "c"), "Compare", "marked runs side by side", (RUNS, LIVE)),
    Key("show_compare", ("3",), "Compare", "groups of runs side by side", _besides(RUNS, LIVE)),
    Key("show_queue", ("4",), "Queue", "slots, and what waits for them in the order of turns", EVERYWHERE),
    Key("show_system", ("5",), "System", "GPUs, processes and the runs they work on, disk", EVERYWHERE),
    Key("show_recommend", ("6",), "Recommend", "what the models of the run recommend, side by side", EVERYWHERE),
    Key("show_log", ("L",), "Log", "the run's console", (RUNS, LIVE, QUEUE, SYSTEM)),
    Key("attention", ("exclamation_mark",), "warnings", "go to the run that the last warning is about", (RUNS, LIVE)),
    Key("palette", ("colon", "ctrl+p"), "commands", "every action by name", EVERYWHERE),
    Key("help", ("question_mark",), "help", "this page", _besides(HELP)),
    Key("repaint", ("ctrl+l",), "repaint", "draw the whole screen again", EVERYWHERE),
    Key("back", ("escape", "q"), "back", "one layer out", EVERYWHERE),
    Key("quit", ("Q", "ctrl+q"), "quit", "leave; runs go on", EVERYWHERE),
)
SHOWN["exclamation_mark"] = "!"

# Actions of the bottom line, as many as there is room for; the last two always stand at its end.
ALWAYS = ("palette", "help")
FOOTER = {
    RUNS: ("show_live", "open", "filter", "mark", "launch", "rerun", "stop", "tags", "show_log", "export", "group"),
    LIVE: ("show_runs", "metric", "zoom", "pane", "stop", "launch", "rerun", "smooth", "log_scale", "axis", "show_log"),
    COMPARE: (
        *("show_runs", "pane", "zoom", "changed", "metric", "group", "base", "bands", "export", "copy"),
        *("smooth", "log_scale", "axis", "refresh"),
    ),
    QUEUE: ("show_runs", "open", "sooner", "later", "front", "end", "pause", "stop", "show_log", "launch", "copy"),
    SYSTEM: ("show_runs", "open", "pane", "stop", "show_log", "launch", "rerun", "copy"),
    RECOMMEND: (
        "filter",
        "title",
        "next",
        "order",
        "open",
        "reset",
        "right",
        "models",
        "live_teacher",
        "length",
        "copy",
    ),
    LAUNCH: (
        "start",
        "open",
        "pane",
        "preset",
        "save",
        "filter",
        "reset",
        "changed",
        "check",
        "doctor",
        "copy",
        "back",
    ),
    LOG: ("back", "filter", "next", "errors", "follow", "last", "stop"),
    DOCTOR: ("back", "doctor", "down", "page_down", "show_runs"),
    HELP: ("back", "down", "page_down", "show_runs"),
}


class KeyMap:
    """The table with a person's own keys laid over it."""

    def __init__(self, own: Mapping[str, list[str]] | None = None, place: str = "") -> None:
        own = own or {}
        known = {key.action for key in TABLE}
        for action in own:
            if action not in known:
                near = get_close_matches(action, known, 1)
                meant = f"Did you mean {near[0]}?" if near else "The help screen (?) lists the actions."
                raise ConfigError(f"unknown action {action!r}", location=place, remedy=meant)
        self.table = tuple(replace(key, keys=tuple(own.get(key.action, key.keys))) for key in TABLE)
        for screen in SCREENS:
            taken: dict[str, str] = {}
            for key in self.of(screen):
                for name in key.keys:
                    if name in taken:
                        raise ConfigError(
                            f"the key {name} means both {taken[name]} and {key.action} on the screen {screen}",
                            location=place,
                            remedy=f"Give {key.action} or {taken[name]} another key.",
                        )
                    taken[name] = key.action

    def of(self, screen: str) -> Iterator[Key]:
        """The keys of a screen, in table order."""
        return (key for key in self.table if screen in key.where)

    def find(self, screen: str, name: str) -> Key | None:
        """What a key press means on a screen."""
        return next((key for key in self.of(screen) if name in key.keys), None)

    def elsewhere(self, name: str) -> Key | None:
        """What a key means on some other screen: for saying why nothing happens here."""
        return next((key for key in self.table if name in key.keys), None)

    def footer(self, screen: str) -> list[Key]:
        """The keys of the bottom line, the most wanted first."""
        keys = {key.action: key for key in self.of(screen)}
        return [keys[action] for action in FOOTER[screen] if keys[action].keys]

    def always(self, screen: str) -> list[Key]:
        """The keys at the end of the bottom line."""
        return [key for key in self.of(screen) if key.action in ALWAYS and key.keys]
