"""The texts of a comparison, from what the engine's own records say."""

from dataclasses import replace

from cockpit.models.comparison import group_name
from cockpit.panes.comparison import metrics, notes, settings
from cockpit.render.lines import plain
from engine.compare.table import text
from engine.wire import (
    Caveat,
    ComparedGroup,
    ComparedMetric,
    ComparedRun,
    ComparedSetting,
    Comparison,
    GroupDifference,
    Maker,
    Overlap,
    PairAnswer,
    RunLineage,
    Spread,
)

SEEDS = GroupDifference(0, 1, 0.0123, 4.5, 0.0021, 0.0225, 0.01, 0.03, 3, "seeds", "better")
ROWS = GroupDifference(0, 1, 0.0123, 4.5, -0.001, 0.02, 0.2, 0.4, 1200, "rows", "undecided")
ONE = GroupDifference(0, 2, -0.02, None, None, None, 1.0, 1.0, 1, "seeds", "undecided")


def group(name, label, *runs):
    return ComparedGroup(name, label, [ComparedRun(run, "evaluate", label, 1, "DONE", False, 1.0) for run in runs])


def comparison(third=False):
    groups = [group("A", "demo", "evaluate-1-aaaa"), group("B", "demo", "evaluate-1-bbbb")]
    spreads = [Spread(0.1259, 0.0021, 3, [0.12, 0.13, None]), Spread(0.1382, 0.0018, 3, [0.1, 0.2, 0.3])]
    differences = [SEEDS, ROWS]
    if third:
        groups.append(group("C", "demo", "evaluate-1-cccc"))
        spreads.append(Spread(0.1059, None, 1, [0.1]))
        differences.append(ONE)
    return Comparison(
        groups,
        [
            ComparedSetting("student.dropout", [0.1, 0.4, None], False),
            ComparedSetting("student.tied", [True, True, True], True),
        ],
        "demo: 1,200 users",
        [
            ComparedMetric("ndcg@10", "student", "max", spreads, differences),
            ComparedMetric("lr", None, "", spreads, []),
        ],
        [Overlap(0, ["teacher", "student"], 0.42)],
        [
            RunLineage(
                0, "evaluate-1-aaaa", [Maker("data", "data-1-dddd", True), Maker("student", "student-1-eeee", False)]
            )
        ],
        [Caveat("dirty", "uncommitted changes")],
        ["B is better than A (student)."],
    )


def test_every_difference_has_a_line_with_its_interval_p_and_verdict():
    lines = plain(metrics(comparison(), 118)).splitlines()
    assert lines[1].split()[:4] == ["ndcg@10", "student", ".1259±.0021", ".1382±.0018"]
    assert lines[1].split()[4:] == ["+.0123", "+4.5", "[+.0021,+.0225]", ".030", "3", "seeds", "better"]
    assert lines[2].split() == ["+.0123", "+4.5", "[-.0010,+.0200]", ".400", "1,200", "rows", "undecided"]
    assert lines[3].split() == ["lr", ".1259±.0021", ".1382±.0018"]  # shown, never tested


def test_on_a_small_screen_the_same_is_shown_in_fewer_columns():
    lines = plain(metrics(comparison(), 78)).splitlines()
    assert max(map(len, lines)) <= 78
    assert lines[1].strip() == "student" and lines[3].split()[:2] == ["over", "rows"]


def test_a_third_group_is_named_on_its_line_and_one_seed_says_so():
    lines = plain(metrics(comparison(third=True), 118)).splitlines()
    assert lines[1].split()[3:5] == ["B", ".1382±.0018"]
    assert lines[3].split() == ["C", ".1059", "-.0200", "one", "seed", "1", "seeds", "undecided"]


def test_settings_that_are_the_same_are_counted_or_shown():
    text = plain(settings(comparison(), False, 50))
    assert "student.dropout 0.1" in text and "1 equal settings hidden" in text and "tied" not in text
    text = plain(settings(comparison(third=True), True, 50))
    assert "student.tied    true" in text and text.splitlines()[1].split() == ["student.dropout", "0.1", "0.4", "-"]


def test_verdict_doubts_protocol_overlap_and_lineage_are_shown():
    text = plain(notes(comparison(), {}, 100))
    for part in ("▸ B is better", "⚠ uncommitted", "demo: 1,200 users", "teacher student share 42 %"):
        assert part.replace("42 %", "42%") in text
    assert "all  data dddd" in text and "A aaaa (gone) ◂ student eeee" in text


def test_groups_are_called_by_what_sets_them_apart():
    assert [group_name(comparison(), index) for index in (0, 1)] == ["dropout=0.1", "dropout=0.4"]


def test_answers_follow_the_verdict_as_in_the_engine_s_text():
    asked = "does the gate pay? undecided: one pair of seeds decides nothing."
    one = PairAnswer("does the gate pay?", 1, "teacher", "undecided", "undecided: one pair of seeds decides nothing.")
    for third, named in ((False, asked), (True, f"B and A: {asked}")):
        found = replace(comparison(third), verdict=["a sentence."], answers=[one])
        shown = plain(notes(found, {}, 90)).splitlines()
        assert shown[1].rstrip() == f"? {named}"
        assert text(found).endswith(f"a sentence.\n\n{named}")
