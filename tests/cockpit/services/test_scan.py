"""Runs are shown as what they are, whatever lies in the folder."""

import json
import os
import time

import pytest

from cockpit.services.scan import Scanner, read_config
from engine.runs.schema import Meta

NOW = 1_790_000_000.0


def looked(root, clock=lambda: NOW):
    scanner = Scanner(root, clock)
    deadline = time.monotonic() + 20
    while not scanner.complete and time.monotonic() < deadline:
        scanner.poll(0.005)
    return scanner


def again(scanner):
    """Look at everything once more, now."""
    scanner._listed = scanner._asked = -10.0
    scanner._seen = {name: (seen, -10.0) for name, (seen, _) in scanner._seen.items()}
    scanner._todo.clear()
    return scanner.poll(1.0) | scanner.poll(1.0)


def test_every_state_is_shown(maker, world):
    rows = looked(maker.root).rows
    states = {name: rows[run].state for name, run in world.items()}
    assert states == {
        "data": "DONE",
        "student": "DONE",
        "second": "DONE",
        "failed": "FAILED",
        "killed": "KILLED",
        "stopped": "STOPPED",
        "lost": "LOST",
        "waiting": "WAITING",
        "queued": "QUEUED",
        "live": "RUNNING",
    }


def test_a_row_holds_what_the_run_reported(maker, world):
    row = looked(maker.root).rows[world["live"]]
    assert (row.step, row.total, row.phase, row.seed, row.experiment) == (120, 400, "training", 1, "demo")
    assert row.metric == "val_recall@10" and row.score == pytest.approx(0.0818, abs=1e-4)
    assert row.inputs == {"data": world["data"], "student": world["student"]}
    assert row.value("loss", "last") > 1 and row.share == 0.3


def test_the_kept_checkpoint_is_known_also_of_runs_whose_summary_did_not_have_it(maker):
    def report(run, tick):
        run.evaluation(10, {"val_recall@10": 0.2}, best=True)
        run.evaluation(20, {"val_recall@10": 0.3})
        run.note(best={"val_recall@10": 0.2, "odd": "x"}, best_step=10)

    folder = maker.ended(maker.reported(maker.planned(), report, "done"))
    for old in (False, True):
        summary = json.loads((folder / "summary.json").read_text())
        if old:
            del summary["kept"], summary["kept_step"]
        (folder / "summary.json").write_text(json.dumps(summary))
        row = looked(maker.root).rows[folder.name]
        assert row.kept == {"val_recall@10": (0.2, 10.0)} and row.best == {"val_recall@10": (0.3, 20.0)}
        assert row.score == 0.2


def test_only_what_changed_is_read_again(maker, world):
    scanner = looked(maker.root)
    before = scanner.rows[world["student"]]
    again(scanner)
    assert scanner.rows[world["student"]] is before
    Meta(tags=["good"]).write(maker.root / world["student"])
    assert again(scanner) and scanner.rows[world["student"]].tags == ["good"]


def test_a_folder_that_vanishes_leaves_the_list(maker, world):
    scanner = looked(maker.root)
    import shutil

    shutil.rmtree(maker.root / world["lost"])
    again(scanner)
    assert world["lost"] not in scanner.rows


def test_foreign_folders_are_no_runs_and_damaged_runs_are_shown_as_such(maker):
    for name in ("notes", ".hidden", "student-20260921-141320-00ff"):
        (maker.root / name).mkdir(parents=True)
    (maker.root / "file.txt").write_text("x")
    damaged = maker.planned()
    (damaged / "run.json").write_text('{"id": ')
    rows = looked(maker.root).rows
    assert set(rows) == {damaged.name, "student-20260921-141320-00ff"}
    assert rows[damaged.name].state == "LOST" and "cannot be read" in rows[damaged.name].reason


def test_damaged_small_files_do_not_hide_a_run(maker):
    folder = maker.trained(maker.planned(), end="")
    for name in ("summary.json", "process.json", "meta.json"):
        (folder / name).write_bytes(b"\xff\xfe{[[[" * 1000)
    assert looked(maker.root).rows[folder.name].stage == "student"


def test_numbers_that_are_no_numbers_are_left_out(maker):
    folder = maker.trained(maker.planned(), end="")
    summary = json.loads((folder / "summary.json").read_text())
    summary["last"] = {"loss": "nan", "lr": "fast", "x": None}
    summary["best"] = {"val_recall@10": {"v": "inf", "step": "many"}, "y": 3}
    (folder / "summary.json").write_text(json.dumps(summary))
    row = looked(maker.root).rows[folder.name]
    assert list(row.last) == ["loss"] and row.best == {"val_recall@10": (float("inf"), 0.0)}


def test_hostile_text_is_cleaned_where_it_is_read(maker):
    evil = "a\x1b]0;PWNED\x07b\x9b2J\u202ec[/]"
    folder = maker.planned(experiment=evil, git={"sha": evil})
    Meta(tags=[evil], note=evil).write(folder)
    row = looked(maker.root).rows[folder.name]
    assert "\x1b" not in repr(vars(row)).encode("unicode_escape").decode() and "PWNED" not in repr(vars(row))
    assert row.tags == ["ab\ufffdc[/]"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_shown_with_the_reason(maker):
    folder = maker.planned()
    folder.chmod(0)
    try:
        assert "cannot be read" in looked(maker.root).rows[folder.name].reason
    finally:
        folder.chmod(0o755)


def test_no_folder_yet_is_an_empty_list_without_trouble(tmp_path):
    scanner = looked(tmp_path / "nothing")
    assert not scanner.rows and not scanner.trouble


def test_a_file_in_the_place_of_the_folder_is_shown(tmp_path):
    (tmp_path / "runs").write_text("x")
    assert "cannot be read" in looked(tmp_path / "runs").trouble


def test_a_clock_that_is_ahead_shows_a_young_run_not_a_crash(maker):
    maker.planned()
    assert looked(maker.root, clock=lambda: NOW - 3600).rows.popitem()[1].state == "WAITING"


def test_settings_are_read_flat_and_clean(maker):
    folder = maker.planned(config={"name": "x\x1b[31my"})
    assert read_config(folder)["student.name"] == "xy" and read_config(folder)["student.hidden"] == 64
    (folder / "config.yaml").write_text("{a: [")
    assert read_config(folder) == {} and read_config(folder / "nowhere") == {}


def test_a_look_gives_way_after_its_budget(maker):
    for _ in range(60):
        maker.planned()
    scanner = Scanner(maker.root, lambda: NOW)
    scanner.poll(0.0)
    assert 0 < len(scanner.rows) < 60 and not scanner.complete
