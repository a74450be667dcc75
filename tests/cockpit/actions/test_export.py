"""An id is copied, tables and curves are written to new files."""

from cockpit.compose import draw
from cockpit.render.lines import plain

SIZES = [(80, 24), (120, 40), (200, 60)]


def test_export_and_copy(context, ready, world, press, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ready(context).list.go_to(world["student"])
    press(context, "y", "e", "enter")
    assert context.effects.copied == [world["student"]]
    assert (tmp_path / "runs.csv").read_text().count("\n") == 2
    press(context, "e", "enter")
    assert "exists already" in plain(draw(context, 80, 24))


def test_curves_are_exported(live, press, tmp_path, monkeypatch, world):
    monkeypatch.chdir(tmp_path)
    press(live, "e", "enter")
    assert (tmp_path / f"{world['live']}-curves.csv").read_text().count("val_recall@10") == 6
