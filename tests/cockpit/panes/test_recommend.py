"""The parts of the Recommend screen as drawn text."""

from cockpit.panes import recommend as panes
from cockpit.render.lines import plain, width
from engine.wire import ItemNames, ModelList, RankedItem, Recommendations


def names(number, title=None):
    return ItemNames(number, f"r{number}", title or f"film {number}")


def ranked(rank, number, title=None, next=False):
    return RankedItem(rank, number, f"r{number}", title or f"film {number}", 1.0 / rank, next)


def column(model, *items, run="run-1", **more):
    return ModelList(model, run, more.pop("state", "ready"), items=list(items), **more)


def test_the_history_is_newest_first_below_the_true_next_item():
    rows = plain(panes.history("user 7", [names(1), names(2), names(3)], names(9), "", 30, 8)).splitlines()
    assert [row.strip("│ ") for row in rows[1:5]] == ["▸ film 9", "film 3", "film 2", "film 1"]
    rows = plain(panes.history("user 7", [names(n) for n in range(9)], None, "", 30, 6)).splitlines()
    assert "... 6 before" in rows[4] and len(rows) == 6
    assert "no history" in plain(panes.history("user 7", [], None, "no history", 30, 6))


def test_completions_keep_the_cursor_in_view():
    lines = panes.choices("find", [f"film {n}" for n in range(9)], 7, "", 30, 5)
    (selected,) = [text for line in lines for text, style in line if style == "select"]
    assert selected.strip() == "film 7" and "film 4" not in plain(lines) and len(lines) == 5
    assert "searching" in plain(panes.choices("find", [], 0, "searching", 30, 5))


def drawn(listed, common=frozenset(), chosen=None, cursor=None, each=1, across=34):
    lines = panes.model(listed, common, chosen, cursor, 0, each, across, 8)
    assert len(lines) == 8 and all(width(line) == across for line in lines)
    return lines


def test_a_list_marks_the_next_item_common_items_and_the_chosen_one():
    listed = column("student", ranked(1, 4), ranked(2, 5, next=True), ranked(3, 6), source="live", ms=1.25)
    lines = drawn(listed, frozenset({4}), names(6))
    rows = [row.strip("│ ") for row in plain(lines).splitlines()]
    assert "student live  1.2 ms" in rows[0]
    assert rows[1].split() == ["1=", "film", "4", "1.000"] and rows[2].split()[0] == "2▸"
    assert ("film 6", "key") in [(text.strip(), style) for text, style in lines[3]]
    assert [style for _, style in drawn(listed, cursor=1)[2]][1] == "select"


def test_a_model_without_a_list_says_why():
    failed = column("teacher", state="failed", note="out of memory")
    assert ("out of memory", "bad") in [piece for line in drawn(failed) for piece in line]
    loading = column("teacher", state="loading", note="reading weights")
    assert any(style == "warn" for _, style in drawn(loading)[1])


def test_a_long_title_takes_two_lines_where_there_is_room():
    listed = column("student", ranked(1, 4, "The Lord of the Rings the Fellowship"), ranked(2, 5))
    assert panes.cramped([listed], [34]) and not panes.cramped([listed], [60])
    rows = [row.strip("│ ") for row in plain(drawn(listed, each=2)).splitlines()]
    assert rows[1].split()[1:5] == ["The", "Lord", "of", "the"] and rows[2] == "the Fellowship"
    assert rows[3].split()[0] == "2"


def answer(*columns, next=None, overlap=()):
    return Recommendations([names(1)], "7", next, list(columns), list(overlap))


def test_the_verdict_has_ranks_overlap_and_the_ranks_of_the_chosen_item():
    student = column("student", ranked(1, 4), ranked(2, 5), next_rank=3.0)
    teacher = column("teacher", ranked(1, 5), next_rank=1200.0)
    missing = column("distilled", run="", note="no run made it")
    found = answer(student, teacher, missing, next=names(9), overlap=[("student", "teacher", 1)])
    lines = panes.verdict(found, names(4), 110)
    rows = plain(lines).splitlines()
    assert rows[0].split() == ["▸", "next", "was", "film", "9", "rank", "student", "3", "teacher", "1,200"]
    assert ("3  ", "ok") in lines[0] and ("1,200  ", "") in lines[0]
    assert rows[1].split() == ["shared", "student", "∩", "teacher", "1"]
    assert rows[2].split() == ["film", "4", "id", "r4", "student", "1", "teacher", "-"]
    assert rows[3].strip() == "distilled: no run made it" and all(width(line) == 110 for line in lines)
    assert "stud ∩ teac 1" in plain(panes.verdict(found, None, 80))


def test_the_title_gives_way_to_the_ranks():
    student = column("student", ranked(1, 4), next_rank=3.0)
    text = plain(panes.verdict(answer(student, next=names(9, "a title " * 20)), None, 60))
    assert "…" in text and text.splitlines()[0].endswith("student 3")


def test_gate_weights_are_bars_of_their_share():
    teacher = column("teacher", gates=[0.5, 0.25, 0.0, 1.0])
    rows = plain(panes.gate(teacher, 60, 10)).splitlines()
    bars = [row.count("█") for row in rows[1:5]]
    assert (bars[2] == 0 and bars[3] == 2 * bars[0]) or abs(bars[3] - 2 * bars[0]) <= 1
    assert ".50" in rows[1] and "4 experts" in rows[0] and len(rows) == 6
    assert len(plain(panes.gate(teacher, 120, 10)).splitlines()) == 4
    brief = plain([panes.brief_gate(teacher, 70)]).split()
    assert brief == ["gate", "e0", "████", ".50", "e1", "██", ".25", "e2", ".00", "e3", "████████", "1.00"]


def test_widths_add_up():
    assert panes.widths(80, 3) == [26, 27, 27] and sum(panes.widths(101, 4)) == 101
