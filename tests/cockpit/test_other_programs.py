"""Logs of other programs beside our runs: listed, drawn, compared, and left as they are."""

import os

import pytest

from cockpit.__main__ import main
from cockpit.app import Cockpit
from cockpit.compose import draw
from cockpit.render.lines import plain
from cockpit.services.folders import named
from cockpit.services.others import OtherFollower, OtherScanner
from cockpit.settings import Settings
from engine.errors import UserError
from engine.mirror import tensorboard_records as records
from tests.cockpit.test_app import screen_text, until
from tests.fixtures.cockpit import NOW


def write_events(folder, tag, values, mode="wb"):
    """A TensorBoard folder with a curve."""
    folder.mkdir(parents=True, exist_ok=True)
    events = [records.scalar(tag, 10 * k, value, NOW - 100 + k) for k, value in enumerate(values, 1)]
    with (folder / "events.out.tfevents.1790000000.host").open(mode) as file:
        file.write(b"".join(map(records.record, [records.first_event(NOW), *events])))


@pytest.fixture
def others(tmp_path):
    """Two TensorBoard folders and Lightning's CSV log, last written a minute before now."""
    root = tmp_path / "lightning_logs"
    write_events(root / "bert" / "version_0", "loss", [3.0, 2.0, 1.0])
    write_events(root / "bert" / "version_1", "loss", [4.0, 3.0, 2.0])
    (root / "csv").mkdir()
    (root / "csv" / "metrics.csv").write_text("epoch,step,loss\n0,9,1.5\n0,19,0.5\n")
    (root / "csv" / "hparams.yaml").write_text("lr: 0.1\n")
    for path in root.rglob("*.*"):
        os.utime(path, (NOW - 60, NOW - 60))
    return root


def state_of(root):
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in [root, *root.rglob("*")]}


@pytest.fixture
def beside(opened, maker, others, ready):
    """A context on our runs and theirs."""
    maker.trained(maker.planned(name="student-20260921-141000-aaaa"))
    return ready(opened(named([str(maker.root)], [f"tb={others}"])))


V0, V1, LOG = "tb/bert/version_0", "tb/bert/version_1", "tb/csv"


def test_they_are_listed_with_the_age_of_their_last_write_and_claim_no_state(beside):
    assert set(beside.list.rows) == {"student-20260921-141000-aaaa", V0, V1, LOG}
    row = beside.list.rows[V0]
    assert (row.stage, row.state, row.open, row.live) == ("tensorboard", "OTHER", False, False)
    assert row.reason == "last written 1m ago; whether it runs is not known"
    assert beside.list.rows[LOG].config["lr"] == 0.1
    text = plain(draw(beside, 160, 40))
    assert "OTHER" in text and "last written 1m ago" in text


def test_their_curves_are_drawn_and_grow(beside, press, ready, others):
    beside.list.go_to(V0)
    press(beside, "2")
    assert "loss" in plain(draw(ready(beside), 120, 40))
    series = beside.watch.follow(V0).data.series["loss"]
    assert (series.count, series.last_step) == (3, 30.0)
    write_events(others / "bert" / "version_0", "loss", [3.0, 2.0, 1.0, 0.5])
    ready(beside)
    assert beside.watch.follow(V0).data.series["loss"].last_step == 40.0
    beside.list.go_to(LOG)
    assert beside.watch.follow(LOG).poll(1.0) and beside.watch.follow(LOG).data.series["loss"].count == 2


async def test_their_curves_are_compared_with_ours_and_no_command_is_run(beside, press, ready):
    for run in ("student-20260921-141000-aaaa", V0, V1):
        beside.list.go_to(run)
        press(beside, "space")
    press(beside, "3")
    ready(beside)
    await beside.effects.run_pending()
    assert len(beside.screen.groups) == 3
    assert "loss" in beside.screen.curves.names(beside.screen.groups)
    assert "only shown: no command" in plain(draw(ready(beside), 160, 60))
    assert not [call for call in getattr(beside.ask, "calls", []) if "compare" in str(call)]


@pytest.mark.parametrize("key", ["x", "R", "p", "t", "i", "A", "d", "r", "D"])
def test_nothing_is_ever_written_there(beside, press, ready, others, key):
    before = state_of(others)
    beside.list.go_to(V0)
    press(beside, key)
    assert "only shown" in beside.message[0]
    press(beside, "y", "enter")
    assert state_of(others) == before


def test_marked_ones_are_left_alone_too(beside, press, others):
    before = state_of(others)
    beside.list.go_to(V0)
    press(beside, "space")
    beside.list.go_to("student-20260921-141000-aaaa")
    press(beside, "d")
    assert "only shown" in beside.message[0] and state_of(others) == before


def test_a_folder_that_appears_or_vanishes_later_is_listed_or_not(tmp_path):
    scanner = OtherScanner("tb", tmp_path / "later", lambda: NOW)
    scanner.poll(1.0)
    assert (scanner.rows, scanner.trouble) == ({}, f"{tmp_path / 'later'} is not there")
    write_events(tmp_path / "later" / "a", "loss", [1.0])
    scanner.list_again()
    assert scanner.poll(1.0) and list(scanner.rows) == ["tb/a"] and scanner.trouble == ""
    (tmp_path / "later" / "a" / "events.out.tfevents.1790000000.host").unlink()
    scanner.list_again()
    assert scanner.poll(1.0) and scanner.rows == {}
    assert not OtherFollower(tmp_path / "later" / "a").poll(1.0)


def test_a_restarted_program_goes_on_in_another_file(tmp_path):
    write_events(tmp_path, "loss", [1.0, 2.0, 3.0])
    (tmp_path / "events.out.tfevents.1790000001.host").write_bytes(
        b"".join(map(records.record, [records.restart(20, NOW), records.scalar("loss", 20, 9.0, NOW)]))
    )
    follower = OtherFollower(tmp_path)
    follower.poll(1.0)
    series = follower.data.series["loss"]
    assert (series.count, series.last_step) == (2, 20.0)


def test_names_of_folders_are_free_once(tmp_path, maker, capsys):
    maker.root.mkdir(exist_ok=True)
    with pytest.raises(UserError, match="given twice"):
        named([str(maker.root)], [f"x={maker.root}"])
    assert main(["--runs", f"a={maker.root}", "--also", f"a={tmp_path}", "--print", "runs"]) == 2
    assert "--also" in capsys.readouterr().err


def test_they_are_printed_too(maker, others, capsys):
    maker.trained(maker.planned())
    assert main(["--runs", str(maker.root), "--also", str(others), "--print", "runs"]) == 0
    assert "OTHER" in capsys.readouterr().out


async def test_the_app_shows_them_and_their_curves(maker, others):
    maker.trained(maker.planned())
    app = Cockpit(named([str(maker.root)], [f"tb={others}"]), Settings())
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "OTHER" in screen_text(app))
        app.context.list.go_to(V1)
        await pilot.press("2")
        await until(pilot, lambda: "2 Live" in screen_text(app) and "loss" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "only shown" in screen_text(app))


def test_lightnings_own_loggers_are_read(tmp_path):
    from pytorch_lightning.loggers import CSVLogger

    logger = CSVLogger(str(tmp_path), name="run")
    logger.log_hyperparams({"lr": 0.5})
    for step in range(3):
        logger.log_metrics({"train_loss": 1.0 - step / 10, "epoch": 0}, step=step)
    logger.save()
    scanner = OtherScanner("csv", tmp_path, lambda: NOW)
    scanner.poll(1.0)
    (run,) = scanner.rows
    assert scanner.rows[run].config["lr"] == 0.5
    follower = OtherFollower(scanner.folders[run])
    follower.poll(1.0)
    assert follower.data.series["train_loss"].count == 3
