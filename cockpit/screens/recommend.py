"""Screen 6: what the models behind a run recommend to a held-out user, or to anybody whose titles are typed.

The models live in a process of their own (``engine serve-local``), which starts with the first question.
"""

import shlex
from typing import TYPE_CHECKING

from cockpit.keys import RECOMMEND
from cockpit.models.recommendation import common, shown
from cockpit.models.rows import Row
from cockpit.panes import recommend as panes
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside
from cockpit.services.completion import Completion
from cockpit.services.recommend import LENGTHS, ORDERS, Trial
from engine.wire import ItemNames

if TYPE_CHECKING:
    from cockpit.context import Context

STAGES = ("evaluate", "distill", "knowledge", "teacher", "student")  # whose runs can be asked, the fullest first
WIDE = 100  # columns from which on the history stands at the left
HIGH = 34  # lines from which on the gate gets bars of its own


class RecommendScreen:
    """History on the left, a list per model, what they share below."""

    name = RECOMMEND

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.trial = Trial(context.root, context.serve, context.effects.spawn)
        self.typing: Completion | None = None  # while a prompt asks for titles or a user
        self.list, self.place = 0, 0  # of the cursor
        self._nobody = ""  # why no run can be asked
        self._top = 0
        self._rows, self._each = 10, 1  # places of a list that are seen, and lines of each
        self._where: list[tuple[int, int, int]] = []  # x, width and y of each list's first place

    @property
    def row(self) -> Row | None:
        server = self.trial.server
        return self.context.list.rows.get(server.run) if server else None

    def title(self) -> Line:
        trial = self.trial
        if trial.server is None:
            return []
        line: Line = [(f"  {trial.server.run}", "bold")]
        if trial.about:
            line.append((f"  {trial.about['data']}  {trial.about['items']:,} items", "dim"))
        if trial.order != "row":
            line.append((f"  {ORDERS[trial.order]}", "key"))
        if trial.loading:
            line.append(("  loading", "warn"))
        if not trial.live:
            line.append(("  teacher not asked live", "warn"))
        return [*line, ("  seen items too", "warn")] if trial.seen else line

    def watched(self) -> list[str]:
        return []

    def poll(self) -> bool:
        """Whether an answer has come since the last look."""
        news, self.trial.news = self.trial.news, False
        return news

    def open(self, row: Row | None = None) -> None:
        """Ask the models of this run; of the one before, or the newest evaluation, where it has none."""
        askable = self._askable()
        if row not in askable:
            row = self.row if self.row in askable else next(iter(askable), None)
        self._nobody = "" if row else "no finished run has a recommender yet: a launches one, the demo needs minutes"
        if row is not None:
            self.trial.open(row.id)

    def _askable(self) -> list[Row]:
        done = [row for row in self.context.list.rows.values() if row.stage in STAGES and row.state == "DONE"]
        return sorted(done, key=lambda row: (STAGES.index(row.stage), -row.created))

    def close(self) -> None:
        """End the server with the cockpit."""
        self.trial.close()

    # -- the picture ---------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        answer = self.trial.answer
        below: Lines = panes.verdict(answer, self.chosen, across) if answer else []
        teacher = next((told for told in answer.columns if told.gates), None) if answer else None
        if teacher is not None:
            below += panes.gate(teacher, across, down // 4) if down >= HIGH else [panes.brief_gate(teacher, across)]
        high = down - len(below)
        if across >= WIDE:
            left = 34 if across < 160 else 50
            return [*beside([self._person(left, high), self._lists(left, 0, across - left, high)]), *below]
        if self.typing is not None and self.typing.begun:
            return [*self._person(across, high), *below]
        first = max(3, min(6, high - 12))
        return [*self._person(across, first), *self._lists(0, first, across, high - first), *below]

    def _person(self, across: int, down: int) -> Lines:
        """The history, or what the text that is being typed may mean."""
        trial, typing = self.trial, self.typing
        if typing is not None and typing.begun:
            return panes.choices(typing.title, typing.lines, typing.cursor, typing.state, across, down)
        if trial.person is None:
            note = "t types titles, / picks a held-out user"
            return panes.history(f"your history  {len(trial.typed)}", trial.typed, None, note, across, down)
        answer = trial.answer
        if answer is None:
            return panes.history("history", (), None, "nobody yet" if trial.trouble else "loading", across, down)
        title = f"{trial.about.get('split', 'held-out')} user {answer.user}  {len(answer.history)}"
        return panes.history(title, answer.history, answer.next, "an empty history", across, down)

    def _lists(self, x: int, y: int, across: int, down: int) -> Lines:
        self._where = []
        answer, trouble = self.trial.answer, self._nobody or self.trial.trouble
        if trouble or answer is None:
            waits = "t types titles, / picks a held-out user, n the next one"
            return panes.instead(trouble, "loading the catalogue" if self.trial.loading else waits, across, down)
        columns, chosen, parts = shown(answer), self.chosen, []
        sizes = panes.widths(across, len(columns))
        self._each = 2 if down - 2 >= 2 * self.trial.length and panes.cramped(columns, sizes) else 1
        self._rows = max(1, (down - 2) // self._each)
        self._top = max(0, min(max(self._top, self.place - self._rows + 1), self.place))
        for number, (told, size) in enumerate(zip(columns, sizes, strict=True)):
            cursor = self.place if number == self.list else None
            parts.append(panes.model(told, common(answer), chosen, cursor, self._top, self._each, size, down))
            self._where.append((x, size, y + 1))
            x += size
        return beside(parts)

    @property
    def chosen(self) -> ItemNames | None:
        """The item under the cursor."""
        columns = shown(self.trial.answer) if self.trial.answer else []
        items = columns[self.list].items if self.list < len(columns) else []
        return items[self.place].names if self.place < len(items) else None

    # -- keys: the lists -----------------------------------------------------------------------------------------

    def _move(self, by: int, lists: int = 0) -> None:
        columns = shown(self.trial.answer) if self.trial.answer else []
        self.list = min(max(self.list + lists, 0), max(len(columns) - 1, 0))
        most = len(columns[self.list].items) if columns else 0
        self.place = min(max(self.place + by, 0), max(most - 1, 0))

    def do_down(self) -> None:
        self._move(1)

    def do_up(self) -> None:
        self._move(-1)

    def do_page_down(self) -> None:
        self._move(max(1, self._rows // 2))

    def do_page_up(self) -> None:
        self._move(-max(1, self._rows // 2))

    def do_first(self) -> None:
        self._move(-LENGTHS[-1])

    def do_last(self) -> None:
        self._move(LENGTHS[-1])

    def do_left(self) -> None:
        self._move(0, -1)

    def do_right(self) -> None:
        self._move(0, 1)

    def click(self, x: int, y: int) -> None:
        for number, (left, size, top) in enumerate(self._where):
            if left <= x < left + size and y >= top:
                self._move(self._top + (y - top) // self._each - self.place, number - self.list)

    def why_not_length(self) -> str:
        return "" if self.trial.server else self._nobody or "no run is asked"

    why_not_seen = why_not_live_teacher = why_not_filter = why_not_title = why_not_clear = why_not_length
    why_not_next = why_not_previous = why_not_order = why_not_length

    def do_length(self) -> None:
        trial = self.trial
        trial.length = LENGTHS[(LENGTHS.index(trial.length) + 1) % len(LENGTHS)]
        self.context.say(f"lists of {trial.length}")
        trial.ask()

    def do_seen(self) -> None:
        self.trial.seen = not self.trial.seen
        self.trial.ask()

    def do_live_teacher(self) -> None:
        trial = self.trial
        trial.live = not trial.live
        self.context.say("the teacher is asked live" if trial.live else "the teacher is only quoted from its knowledge")
        trial.ask()

    # -- keys: the history ---------------------------------------------------------------------------------------

    def _step(self, by: int) -> None:
        self.place = 0
        self.trial.step(by)

    def do_next(self) -> None:
        self._step(1)

    def do_previous(self) -> None:
        self._step(-1)

    def do_order(self) -> None:
        orders = list(ORDERS)
        order = orders[(orders.index(self.trial.order) + 1) % len(orders)]
        self.place = 0
        self.context.say(f"users {ORDERS[order]}")
        self.trial.take_order(order)

    def _go_on_with(self, items: list[ItemNames]) -> None:
        self.place = 0
        self.trial.take_history(items)

    def why_not_open(self) -> str:
        return "" if self.chosen else "there is no item under the cursor"

    def do_open(self) -> None:
        if self.chosen is not None:
            self._go_on_with([*self.trial.history, self.chosen])

    def why_not_reset(self) -> str:
        return "" if self.trial.history else "the history is empty: t types titles"

    def do_reset(self) -> None:
        self._go_on_with(self.trial.history[:-1])

    def do_clear(self) -> None:
        self._go_on_with([])

    def do_title(self) -> None:
        if self.trial.person is not None:
            self._go_on_with([])
        self._type(Completion(users=False))

    def do_filter(self) -> None:
        self._type(Completion(users=True, order=self.trial.order))
        self._search("")

    def _type(self, typing: Completion, text: str = "") -> None:
        """Ask for a title or a user while the server says what may be meant."""
        self.typing = typing
        label, hint = ("user", "an id or a part of one") if typing.users else ("title", "enter adds it, esc ends")
        more = {"live": self._search, "cancel": self._stop_typing, "other": typing.choose}
        self.context.type(label, text, self._accept, hint=f"{hint}, ↑ ↓ choose", **more)

    def _search(self, text: str) -> None:
        if self.typing is not None and self.trial.server is not None:
            self.context.effects.spawn(self.typing.find(self.trial.server, text))

    def _stop_typing(self) -> None:
        self.typing = None

    def _accept(self, text: str) -> None:
        """Take what stands under the cursor; titles are asked for until nothing is typed."""
        typing, self.typing = self.typing, None
        if typing is None or (not text.strip() and not typing.users):
            return
        one = typing.chosen(text)
        if one is None:
            self._type(typing, text)  # the search has not caught up, or found nothing: nothing is guessed
        elif isinstance(one, ItemNames):
            self._go_on_with([*self.trial.typed, one])
            self._type(Completion(users=False))
        else:
            self.place = 0
            self.trial.take_person(one.row)

    # -- keys: the run -------------------------------------------------------------------------------------------

    def why_not_models(self) -> str:
        return "" if self._askable() else "no finished run has a recommender yet"

    def do_models(self) -> None:
        rows = {row.id: row for row in self._askable()}
        choices = [MenuItem(row.id, f"{row.experiment}  seed {row.seed}", row.id) for row in rows.values()]
        self.context.choose("whose models", choices, lambda run: self.open(rows[run]))

    def why_not_copy(self) -> str:
        return "" if self.trial.history else "nothing was asked yet"

    def do_copy(self) -> None:
        """Copy the command that gives the same answer."""
        trial = self.trial
        if trial.server is None or trial.answer is None:
            return
        whom = ["--history", *(item.raw for item in trial.typed)]
        if trial.person is not None:
            whom = ["--user", trial.answer.user]
        words = ["engine", "recommend", trial.server.run, *whom, "--count", str(trial.length)]
        words += [*(["--show-seen"] if trial.seen else []), *([] if trial.live else ["--no-live"])]
        self.context.effects.copy(shlex.join([*words, "--runs", str(self.context.root)]))
        self.context.say("copied the command")
