"""The one table of keys. Dispatch, bottom line, help screen and command palette are all read from it.

A key names an action. The action is a method ``do_<action>`` of the screen or a function of that name in
``cockpit.actions``; ``why_not_<action>`` returns why it is impossible now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from engine.errors import ConfigError

RUNS, LIVE, COMPARE, QUEUE, SYSTEM, RECOMMEND = "runs", "live", "compare", "queue", "system", "recommend"
RESULT, MODELS, BOARD = "result", "models", "board"
LAUNCH, LOG, DOCTOR, CONFIG, HELP = "launch", "log", "doctor", "config", "help"
# Every screen and its title in the top line; the class is ``<Name>Screen`` in cockpit/screens/<name>.py.
SCREENS = {
    RUNS: "1 Runs",
    LIVE: "2 Live",
    RESULT: "2 Result",
    COMPARE: "3 Compare",
    MODELS: "3 Models",
    QUEUE: "4 Queue",
    SYSTEM: "5 System",
    RECOMMEND: "6 Recommend",
    BOARD: "Board",
    LAUNCH: "Launch",
    LOG: "Log",
    DOCTOR: "Doctor",
    CONFIG: "Settings",
    HELP: "Help",
}
MAIN = tuple(name for name, title in SCREENS.items() if title[0].isdigit())  # these replace each other
EVERYWHERE = tuple(SCREENS)
OF_RUNS = (RUNS, LIVE, RESULT, QUEUE, SYSTEM, BOARD, LOG)  # screens with a run to act on
CHARTS = (RUNS, LIVE, COMPARE)
ZOOMED = (LIVE, COMPARE)  # screens whose panes and x axis can be zoomed
RESULTS = (RESULT, MODELS)  # screens of one evaluation
PANES = (LIVE, *RESULTS, BOARD, COMPARE, SYSTEM, LAUNCH, LOG)


def _besides(*screens: str) -> tuple[str, ...]:
    return tuple(name for name in SCREENS if name not in screens)


def caption(screen: str) -> str:
    """A screen's title without the digit of its key."""
    return SCREENS[screen].lstrip("0123456789 ")


# How a key is displayed; any other key is displayed as Textual names it.
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
    Key("up", ("k", "up"), "up", "previous line", EVERYWHERE),
    Key("page_down", ("ctrl+d", "pagedown"), "page down", "half a page down", EVERYWHERE),
    Key("page_up", ("ctrl+u", "pageup"), "page up", "half a page up", EVERYWHERE),
    Key("first", ("g", "home"), "first", "first line", EVERYWHERE),
    Key("last", ("G", "end"), "last", "last line", EVERYWHERE),
    Key("left", ("h", "left"), "left", "move the chart cursor left", ZOOMED),
    Key("right", ("l", "right"), "right", "move the chart cursor right", ZOOMED),
    Key("left", ("h", "left"), "left", "go to the stage graph", (LAUNCH,)),
    Key("right", ("l", "right"), "right", "go to the settings", (LAUNCH,)),
    Key("left", ("h", "left"), "left", "list of the previous model", (RECOMMEND,)),
    Key("right", ("l", "right"), "right", "list of the next model", (RECOMMEND,)),
    Key("pane", ("tab",), "pane", "next pane", PANES),
    Key("pane_back", ("shift+tab",), "pane back", "previous pane", PANES),
    Key("open", ("enter",), "open", "open the run, or an evaluation's result", (RUNS, QUEUE, SYSTEM, BOARD)),
    Key("open", ("enter",), "zoom", "focused pane on the whole screen, and back", (*ZOOMED, *RESULTS)),
    Key("open", ("enter",), "edit", "edit the setting, or choose the target stage", (LAUNCH,)),
    Key("open", ("enter",), "add", "add the item under the cursor to the history", (RECOMMEND,)),
    Key("filter", ("slash",), "filter", "filter the runs", (RUNS, LIVE)),
    Key("filter", ("slash",), "find", "find a setting by name or description", (LAUNCH,)),
    Key("filter", ("slash",), "search", "search the console", (LOG,)),
    Key("filter", ("slash",), "user", "choose a held-out user by id", (RECOMMEND,)),
    Key("filter", ("slash",), "search", "show only lines of this page with a text", (HELP,)),
    Key("title", ("t",), "titles", "type titles, with completion, as the history", (RECOMMEND,)),
    Key("next", ("n",), "next", "next match", (LOG,)),
    Key("previous", ("N",), "previous", "previous match", (LOG,)),
    Key("next", ("n",), "next user", "next held-out user", (RECOMMEND,)),
    Key("previous", ("N",), "previous user", "previous held-out user", (RECOMMEND,)),
    Key("mark", ("space",), "mark", "mark the run for charts, comparison, actions", (RUNS, LIVE)),
    Key("mark", ("space",), "mark", "mark the runs of the setting, for a comparison", (BOARD,)),
    Key("mark", ("space",), "target", "choose the target stage, or edit the setting", (LAUNCH,)),
    Key("range", ("v",), "mark range", "mark all runs from the last mark to here", (RUNS,)),
    Key("metric", ("m",), "metric", "choose the metric of the chart", CHARTS),
    Key("metric", ("m",), "metric", "metric of the intervals and slices", RESULTS),
    Key("metric", ("m",), "metric", "metric that chooses the best setting", (BOARD,)),
    Key("sort", ("s",), "sort", "sort by a column; by the same one again: reversed", (BOARD,)),
    Key("beside", ("B",), "second metric", "overlay a second metric, or remove it", (LIVE,)),
    Key("grid", ("V",), "all charts", "every metric as a small chart, the chosen ones, the panes", (LIVE,)),
    Key("keep", ("K",), "keep chart", "add the chart to the chosen ones, or take it out; saved", (LIVE,)),
    Key("zoom", ("z",), "zoom", "focused pane on the whole screen, and back", (*ZOOMED, *RESULTS, BOARD)),
    Key("closer", ("plus", "equals_sign"), "zoom in", "halve the range of the x axis at the cursor", ZOOMED),
    Key("farther", ("minus",), "zoom out", "double the range of the x axis", ZOOMED),
    Key("pan_left", ("less_than_sign",), "pan left", "shift the range of the x axis left", ZOOMED),
    Key("pan_right", ("greater_than_sign",), "pan right", "shift the range of the x axis right", ZOOMED),
    Key("whole", ("0",), "whole", "show the whole x axis", ZOOMED),
    Key("smooth", ("s",), "smooth", "smoothing of the curves: none, .6, .9, .98", CHARTS),
    Key("log_scale", ("o",), "log-y", "logarithmic or linear y axis", CHARTS),
    Key("axis", ("X",), "x-axis", "x axis: step, epoch, time", CHARTS),
    Key("shape", ("v",), "over time", "gates and gradients: latest, heat map over time, percentile bands", (LIVE,)),
    Key("layer", ("right_curly_bracket",), "layer", "gate of the next layer", (LIVE,)),
    Key("layer_back", ("left_curly_bracket",), "layer back", "gate of the previous layer", (LIVE,)),
    Key("group", ("w",), "group", "group by experiment, by stage, or not", (RUNS,)),
    Key("group", ("w",), "group", "group by settings, by experiment, or not", (COMPARE,)),
    Key("group", ("w",), "seeds", "a line per setting, or per run", (BOARD,)),
    Key("base", ("B",), "base", "make the next group the baseline", (COMPARE,)),
    Key("bands", ("b",), "bands", "show or hide the range over seeds", (COMPARE,)),
    Key("archived", ("H",), "archived", "show or hide archived runs", (RUNS,)),
    Key(
        "sidebar",
        ("left_square_bracket", "right_square_bracket"),
        "sidebar",
        "show or hide the run list or the preview",
        (RUNS, LIVE),
    ),
    Key("follow", ("f",), "follow", "follow the end of the console", (LIVE, LOG)),
    Key("errors", ("E",), "error", "the console of the run at its last error", (RUNS, LIVE, RESULT, QUEUE, SYSTEM)),
    Key("errors", ("E",), "errors", "show only tracebacks, errors and warnings", (LOG,)),
    Key("wrap", ("w",), "wrap", "wrap long lines, or cut them", (LOG,)),
    Key("left", ("h", "left"), "left", "scroll to the left", (LOG,)),
    Key("right", ("l", "right"), "right", "scroll to the right", (LOG,)),
    Key("open", ("enter",), "open", "one of several consoles on the whole screen", (LOG,)),
    Key("copy", ("y",), "copy", "copy the current line and its traceback, or the page", (LOG,)),
    Key("launch", ("a",), "launch", "launch runs: stage graph and settings form", OF_RUNS),
    Key("rerun", ("r",), "re-run", "launch again with this run's settings", OF_RUNS),
    Key("stop", ("x",), "stop", "stop the run: after evaluation, now, or kill", (RUNS, LIVE, RESULT, SYSTEM, LOG)),
    Key("stop", ("x",), "cancel", "remove the run from the queue, or stop it", (QUEUE,)),
    Key("pause", ("p",), "pause", "pause the run in the queue, or continue it", (QUEUE,)),
    Key("later", ("J",), "later", "swap with the next run in the queue", (QUEUE,)),
    Key("sooner", ("K",), "sooner", "swap with the previous run in the queue", (QUEUE,)),
    Key("front", ("T",), "front", "move to the front of the queue", (QUEUE,)),
    Key("end", ("B",), "end", "move to the end of the queue", (QUEUE,)),
    Key("resume", ("R",), "resume", "resume a run that ended early", OF_RUNS),
    Key("doctor", ("D",), "doctor", "examine the run with engine doctor", (RUNS, LIVE, RESULT, LOG)),
    Key("doctor", ("D",), "doctor", "examine the form with engine doctor", (LAUNCH,)),
    Key("doctor", ("D",), "repeat", "run engine doctor again", (DOCTOR,)),
    Key("pin", ("p",), "pin", "pin the run to the top of the list, or unpin", (RUNS, LIVE, RESULT)),
    Key("tags", ("t",), "tags", "edit the tags of the marked runs, or of this", (RUNS, LIVE, RESULT)),
    Key("note", ("i",), "note", "edit the note of the run", (RUNS, LIVE, RESULT)),
    Key("archive", ("A",), "archive", "hide the marked runs, or this one", (RUNS,)),
    Key("remove", ("d", "delete"), "delete", "delete the marked runs, or this one, for good", (RUNS, SYSTEM)),
    Key("undo", ("u",), "undo", "undo the last change of annotations or form", (RUNS, LIVE, RESULT, LAUNCH)),
    Key("export", ("e",), "export", "write the marked runs, or this one, to CSV", (RUNS,)),
    Key("export", ("e",), "export", "write the curves of the run to CSV", (LIVE,)),
    Key("export", ("e",), "export", "write the metrics as engine compare --csv", (COMPARE,)),
    Key("export", ("e",), "export", "write the tables as CSV", (*RESULTS, BOARD)),
    Key("copy", ("y",), "copy", "copy the id of the run", (RUNS, LIVE, QUEUE, SYSTEM)),
    Key("copy", ("y",), "copy", "copy the equivalent engine command", (*RESULTS, COMPARE, RECOMMEND, BOARD, LAUNCH)),
    Key("refresh", ("ctrl+r",), "refresh", "run engine compare again", (COMPARE,)),
    Key("start", ("ctrl+r",), "start", "start the runs that the form describes", (LAUNCH,)),
    Key("preset", ("p",), "preset", "start from a named experiment", (LAUNCH,)),
    Key("save", ("ctrl+s", "S"), "save", "save the settings as a named experiment", (LAUNCH,)),
    Key("list_runs", ("v",), "list", "list the combinations of the sweep", (LAUNCH,)),
    Key("reset", ("backspace", "delete"), "reset", "reset the setting to its default", (LAUNCH,)),
    Key("order", ("o",), "order", "users in data order, by gain, or by loss", (RECOMMEND,)),
    Key("reset", ("backspace", "delete"), "remove", "remove the last title from the history", (RECOMMEND,)),
    Key("clear", ("c",), "clear", "clear the history", (RECOMMEND,)),
    Key("models", ("m",), "run", "choose the run whose models recommend", (RECOMMEND,)),
    Key("length", ("z",), "length", "length of the lists: 10, 20, 50", (RECOMMEND,)),
    Key("seen", ("s",), "seen", "list or hide items of the history", (RECOMMEND,)),
    Key("live_teacher", ("T",), "teacher", "teacher: live, or stored rankings only", (RECOMMEND,)),
    Key("changed", ("d",), "changed only", "show only changed settings, or all", (LAUNCH,)),
    Key("changed", ("d",), "differing", "only settings that the best run has otherwise, or all", (CONFIG,)),
    Key("changed", ("d",), "all settings", "show also equal settings, or hide them", (COMPARE,)),
    Key("check", ("c",), "checks", "checks before the start: doctor, one batch", (LAUNCH,)),
    Key("repeat", ("full_stop",), "repeat", "repeat the last action", (RUNS, LIVE)),
    Key("show_runs", ("1",), "Runs", "all runs", EVERYWHERE),
    Key("show_live", ("2",), "Live", "a run's curves, or an evaluation's result", _besides(RESULT)),
    Key("show_live", ("2",), "curves", "the curves of the evaluation", (RESULT,)),
    Key("show_compare", ("3", "c"), "Compare", "marked runs, or an evaluation's models", (RUNS, LIVE)),
    Key("show_compare", ("3",), "Models", "the models of the evaluation side by side", (RESULT,)),
    Key("show_compare", ("3",), "Compare", "groups of runs side by side", _besides(RUNS, LIVE, RESULT)),
    Key("show_queue", ("4",), "Queue", "slots, and the runs that wait for them", EVERYWHERE),
    Key("show_system", ("5",), "System", "GPUs, processes and their runs, disk", EVERYWHERE),
    Key("show_recommend", ("6",), "Recommend", "recommendations of models, side by side", EVERYWHERE),
    Key("config", ("C",), "settings", "every setting of the run", (RUNS, LIVE, RESULT, QUEUE, SYSTEM, LOG)),
    Key("filter", ("slash",), "search", "show only settings with a text", (CONFIG,)),
    Key("copy", ("y",), "copy", "copy the setting as it is typed", (CONFIG,)),
    Key("show_log", ("L",), "Log", "the run's console", (RUNS, LIVE, RESULT, QUEUE, SYSTEM, BOARD)),
    Key("show_board", ("b",), "board", "the experiment by its settings", (RUNS, LIVE, RESULT, QUEUE)),
    Key(
        "attention",
        ("exclamation_mark",),
        "warnings",
        "open the last run that failed or has a warning",
        (RUNS, LIVE, RESULT),
    ),
    Key("picture", ("W",), "picture", "write the screen as SVG, text and PNG", EVERYWHERE),
    Key("picture_chart", ("P",), "picture of chart", "write the focused chart as SVG, text and PNG", CHARTS),
    Key("palette", ("colon", "ctrl+p"), "commands", "every action by name", EVERYWHERE),
    Key("help", ("question_mark",), "help", "this page", _besides(HELP)),
    Key("repaint", ("ctrl+l",), "repaint", "draw the whole screen again", EVERYWHERE),
    Key("back", ("escape", "q"), "back", "one layer back", EVERYWHERE),
    Key("quit", ("Q", "ctrl+q"), "quit", "leave; runs continue", EVERYWHERE),
)
SHOWN["exclamation_mark"] = "!"

MOVES = ("down", "up", "page_down", "page_up", "first", "last", "left", "right", "pane", "pane_back")
REPEATABLE = ("pin", "archive", "mark", "stop", "resume", "export")
# Actions that change something: a cockpit with --read-only refuses them.
WRITING = (
    *("stop", "resume", "remove", "pin", "tags", "note", "archive", "undo", "start", "save"),
    *("pause", "sooner", "later", "front", "end"),
)
ABOUT_RUNS = ("rerun", "doctor")  # what only a run of ours can be asked for
ALWAYS = ("palette", "help")  # actions at the end of every bottom line
# Actions of the bottom line before those, as many as there is room for.
FOOTER = {
    screen: actions.split()
    for screen, actions in {
        RUNS: "show_live open filter mark launch rerun stop show_board tags show_log export group",
        LIVE: "show_runs metric zoom pane grid stop launch rerun smooth log_scale axis show_log",
        RESULT: "show_runs pane show_compare metric zoom show_live launch rerun export show_log stop copy",
        MODELS: "show_runs show_live pane metric zoom export show_compare copy",
        COMPARE: "show_runs pane zoom changed metric group base bands export copy smooth log_scale axis refresh",
        BOARD: "back sort group mark show_compare pane metric open zoom rerun export copy",
        QUEUE: "show_runs open sooner later front end pause stop show_board show_log launch copy",
        SYSTEM: "show_runs open pane stop show_log launch rerun copy",
        RECOMMEND: "filter title next order open reset right models live_teacher length copy",
        LAUNCH: "start open pane preset save filter reset changed check doctor copy back",
        LOG: "back filter next errors wrap copy follow right last stop",
        DOCTOR: "back doctor down page_down show_runs",
        CONFIG: "back filter changed copy down page_down",
        HELP: "back filter down page_down show_runs",
    }.items()
}


class KeyMap:
    """The table with the keys of the settings file in place of the standard ones."""

    def __init__(self, own: Mapping[str, list[str]] | None = None, settings_file: str = "") -> None:
        own = own or {}
        known = {key.action for key in TABLE}
        for action in own:
            if action not in known:
                near = get_close_matches(action, known, 1)
                meant = f"Did you mean {near[0]}?" if near else "The help screen (?) lists the actions."
                raise ConfigError(f"unknown action {action!r}", location=settings_file, remedy=meant)
        self.table = tuple(replace(key, keys=tuple(own.get(key.action, key.keys))) for key in TABLE)
        for screen in SCREENS:
            taken: dict[str, str] = {}
            for key in self.of(screen):
                for name in key.keys:
                    if name in taken:
                        raise ConfigError(
                            f"the key {name} means both {taken[name]} and {key.action} on the screen {screen}",
                            location=settings_file,
                            remedy=f"Give {key.action} or {taken[name]} another key.",
                        )
                    taken[name] = key.action

    def of(self, screen: str) -> Iterator[Key]:
        """The keys of a screen, in table order."""
        return (key for key in self.table if screen in key.where)

    def find(self, screen: str, name: str) -> Key | None:
        """The meaning of a key on a screen."""
        return next((key for key in self.of(screen) if name in key.keys), None)

    def elsewhere(self, name: str) -> Key | None:
        """The meaning of a key on another screen, for the message that it has none here."""
        return next((key for key in self.table if name in key.keys), None)

    def footer(self, screen: str) -> list[Key]:
        """The keys of the bottom line, the most important first."""
        keys = {key.action: key for key in self.of(screen)}
        return [keys[action] for action in FOOTER.get(screen, ()) if keys[action].keys]

    def always(self, screen: str) -> list[Key]:
        """The keys at the end of the bottom line."""
        return [key for key in self.of(screen) if key.action in ALWAYS and key.keys]
