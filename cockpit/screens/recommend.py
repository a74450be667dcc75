"""Screen 6: recommendations of a run's models for a held-out user or for a history of typed titles.

The models are loaded by a process of their own (``engine serve-local``), which starts with the first request.
"""

from cockpit.context import Context, Screen
from cockpit.keys import RECOMMEND
from cockpit.models.recommendation import common, shown
from cockpit.models.rows import Row
from cockpit.models.scroll import Cursor
from cockpit.panes import recommend as panes
from cockpit.prompts import MenuItem
from cockpit.render.lines import Line, Lines, beside
from cockpit.services.completion import Completion
from cockpit.services.recommend import LENGTHS, ORDERS, RecommendSession
from engine.wire import ItemNames

STAGES = ("evaluate", "distill", "knowledge", "teacher", "student")  # with a recommender
WIDE = 100  # columns from which on the history is drawn at the left
HIGH = 34  # lines from which on the gate weights are drawn as bars


class RecommendScreen(Screen):
    """History on the left, a list for each model, their overlap below."""

    name = RECOMMEND

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.session = RecommendSession(context.root, context.serve, context.effects.spawn)
        self.typing: Completion | None = None  # while a prompt requests titles or a user
        self.list = 0  # the list that has the cursor
        self.scroll = self.cursor = Cursor()
        self._no_run = ""  # why there is no run to open
        self._each = 1  # lines of each item
        self._boxes: list[tuple[int, int, int]] = []  # x, width and y of each list

    @property
    def row(self) -> Row | None:
        server = self.session.server
        return self.context.list.rows.get(server.run) if server else None

    def title(self) -> Line:
        session = self.session
        if session.server is None:
            return []
        line: Line = [(f"  {session.server.run}", "bold")]
        if session.about:
            line.append((f"  {session.about['data']}  {session.about['items']:,} items", "dim"))
        if session.order != "row":
            line.append((f"  {ORDERS[session.order]}", "key"))
        if session.loading:
            line.append(("  loading", "warn"))
        if not session.live:
            line.append(("  teacher: stored rankings only", "warn"))
        return [*line, ("  with seen items", "warn")] if session.shows_seen else line

    def poll(self) -> bool:
        """Whether an answer has arrived since the last poll."""
        changed, self.session.changed = self.session.changed, False
        return changed

    def open(self, row: Row | None = None) -> None:
        """Open the models of this run; without any, those of the previous run or of the newest evaluation."""
        candidates = self._candidates()
        if row not in candidates:
            row = self.row if self.row in candidates else next(iter(candidates), None)
        self._no_run = "" if row else "no finished run has a recommender yet: a launches one, the demo takes minutes"
        if row is not None:
            self.session.open(row.id)

    def _candidates(self) -> list[Row]:
        done = [row for row in self.context.list.rows.values() if row.stage in STAGES and row.state == "DONE"]
        return sorted(done, key=lambda row: (STAGES.index(row.stage), -row.created))

    def close(self) -> None:
        """End the server with the cockpit."""
        self.session.close()

    # -- drawing -------------------------------------------------------------------------------------------------

    def draw(self, across: int, down: int) -> Lines:
        answer = self.session.answer
        below: Lines = panes.verdict(answer, self.chosen, across) if answer else []
        teacher = next((column for column in answer.columns if column.gates), None) if answer else None
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
        """The history, or the completions of the text that is typed."""
        session, typing = self.session, self.typing
        if typing is not None and typing.begun:
            return panes.choices(typing.title, typing.lines, typing.cursor, typing.state, across, down)
        if session.row is None:
            note = "t types titles, / picks a held-out user"
            return panes.history(f"your history  {len(session.typed)}", session.typed, None, note, across, down)
        answer = session.answer
        if answer is None:
            return panes.history("history", (), None, "no user yet" if session.trouble else "loading", across, down)
        title = f"{session.about.get('split', 'held-out')} user {answer.user}  {len(answer.history)}"
        return panes.history(title, answer.history, answer.next, "an empty history", across, down)

    def _lists(self, x: int, y: int, across: int, down: int) -> Lines:
        self._boxes = []
        answer, trouble = self.session.answer, self._no_run or self.session.trouble
        if trouble or answer is None:
            waits = "t types titles, / picks a held-out user, n the next one"
            return panes.instead(trouble, "loading the catalogue" if self.session.loading else waits, across, down)
        columns, chosen, parts = shown(answer), self.chosen, []
        sizes = panes.widths(across, len(columns))
        self._each = 2 if down - 2 >= 2 * self.session.length and panes.cramped(columns, sizes) else 1
        top = self.cursor.fit(self._count, (down - 2) // self._each)
        for index, (column, size) in enumerate(zip(columns, sizes, strict=True)):
            line = self.cursor.line if index == self.list else None
            parts.append(panes.model(column, common(answer), chosen, line, top, self._each, size, down))
            self._boxes.append((x, size, y + 1))
            x += size
        return beside(parts)

    @property
    def chosen(self) -> ItemNames | None:
        """The item under the cursor."""
        columns = shown(self.session.answer) if self.session.answer else []
        items = columns[self.list].items if self.list < len(columns) else []
        return items[self.cursor.line].names if self.cursor.line < len(items) else None

    @property
    def _count(self) -> int:
        """Items of the list that has the cursor."""
        columns = shown(self.session.answer) if self.session.answer else []
        return len(columns[self.list].items) if self.list < len(columns) else 0

    # -- keys: the lists -----------------------------------------------------------------------------------------

    def move(self, by: int) -> None:
        self.cursor.step(by, self._count)

    def _go_to_list(self, index: int) -> None:
        count = len(shown(self.session.answer)) if self.session.answer else 0
        self.list = min(max(index, 0), max(count - 1, 0))
        self.move(0)

    def do_left(self) -> None:
        self._go_to_list(self.list - 1)

    def do_right(self) -> None:
        self._go_to_list(self.list + 1)

    def click(self, x: int, y: int) -> None:
        for index, (left, size, top) in enumerate(self._boxes):
            if left <= x < left + size and y >= top:
                self.cursor.line = self.cursor.top + (y - top) // self._each
                self._go_to_list(index)

    def why_not_length(self) -> str:
        return "" if self.session.server else self._no_run or "no run is open"

    why_not_seen = why_not_live_teacher = why_not_filter = why_not_title = why_not_clear = why_not_length
    why_not_next = why_not_previous = why_not_order = why_not_length

    def do_length(self) -> None:
        session = self.session
        session.length = LENGTHS[(LENGTHS.index(session.length) + 1) % len(LENGTHS)]
        self.context.notify(f"lists of {session.length}")
        session.ask()

    def do_seen(self) -> None:
        self.session.seen = not self.session.shows_seen
        self.session.ask()

    def do_live_teacher(self) -> None:
        session = self.session
        session.live = not session.live
        self.context.notify(
            "teacher: runs where it has no stored ranking" if session.live else "teacher: stored rankings only"
        )
        session.ask()

    # -- keys: the history ---------------------------------------------------------------------------------------

    def _step(self, by: int) -> None:
        self.cursor.line = 0
        self.session.step(by)

    def do_next(self) -> None:
        self._step(1)

    def do_previous(self) -> None:
        self._step(-1)

    def do_order(self) -> None:
        orders = list(ORDERS)
        order = orders[(orders.index(self.session.order) + 1) % len(orders)]
        self.cursor.line = 0
        self.context.notify(f"users {ORDERS[order]}")
        self.session.choose_order(order)

    def _take_history(self, items: list[ItemNames]) -> None:
        self.cursor.line = 0
        self.session.choose_history(items)

    def why_not_open(self) -> str:
        return "" if self.chosen else "there is no item under the cursor"

    def do_open(self) -> None:
        if self.chosen is not None:
            self._take_history([*self.session.history, self.chosen])

    def why_not_reset(self) -> str:
        return "" if self.session.history else "the history is empty: t types titles"

    def do_reset(self) -> None:
        self._take_history(self.session.history[:-1])

    def do_clear(self) -> None:
        self._take_history([])

    def do_title(self) -> None:
        if self.session.row is not None:
            self._take_history([])
        self._type(Completion(users=False))

    def do_filter(self) -> None:
        self._type(Completion(users=True, order=self.session.order))
        self._search("")

    def _type(self, typing: Completion, text: str = "") -> None:
        """Request a title or a user, with completions from the server."""
        self.typing = typing
        label, hint = ("user", "an id or a part of one") if typing.users else ("title", "enter adds it, esc ends")
        more = {"live": self._search, "cancel": self._stop_typing, "other": typing.choose}
        self.context.open_prompt(label, text, self._accept, hint=f"{hint}, ↑ ↓ choose", **more)

    def _search(self, text: str) -> None:
        if self.typing is not None and self.session.server is not None:
            self.context.effects.spawn(self.typing.find(self.session.server, text))

    def _stop_typing(self) -> None:
        self.typing = None

    def _accept(self, text: str) -> None:
        """Take the completion under the cursor; another title is requested until nothing is typed."""
        typing, self.typing = self.typing, None
        if typing is None or (not text.strip() and not typing.users):
            return
        one = typing.chosen(text)
        if one is None:
            self._type(typing, text)  # the search has not finished, or found nothing
        elif isinstance(one, ItemNames):
            self._take_history([*self.session.typed, one])
            self._type(Completion(users=False))
        else:
            self.cursor.line = 0
            self.session.choose_row(one.row)

    # -- keys: the run -------------------------------------------------------------------------------------------

    def why_not_models(self) -> str:
        return "" if self._candidates() else "no finished run has a recommender yet"

    def do_models(self) -> None:
        rows = {row.id: row for row in self._candidates()}
        items = [MenuItem(row.id, f"{row.experiment}  seed {row.seed}", row.id) for row in rows.values()]
        self.context.open_menu("models of the run", items, lambda run: self.open(rows[run]))

    def why_not_copy(self) -> str:
        return "" if self.session.history else "there is no history yet"

    def do_copy(self) -> None:
        """Copy the command that gives the same recommendations."""
        session = self.session
        if session.server is None or session.answer is None:
            return
        whom = ["--history", *(item.raw for item in session.typed)]
        if session.row is not None:
            whom = ["--user", session.answer.user]
        words = ["recommend", session.server.run, *whom, "--count", str(session.length)]
        words += [*_seen_option(session.seen), *([] if session.live else ["--no-live"])]
        self.context.copy(self.context.shown(words), "the command")


def _seen_option(seen: bool | None) -> list[str]:
    """The option of ``engine recommend`` for the same lists; none where the data decide."""
    return [] if seen is None else ["--show-seen" if seen else "--no-show-seen"]
