"""Tags, notes, pins and the archive are written to the run folder, and undone."""

from engine.runs.schema import Meta

SIZES = [(80, 24), (120, 40), (200, 60)]


def test_tags_note_pin_and_archive_are_written_and_undone(context, ready, world, press, maker):
    run = world["student"]
    ready(context).list.go_to(run)
    press(context, "t", '"good seed1"', "enter", "i", '"keep this"', "enter", "p")
    meta = Meta.read(maker.root / run)
    assert (meta.tags, meta.note, meta.pinned) == (["good", "seed1"], "keep this", True)
    assert context.list.shown[0].id == run
    press(context, "u", "u", "u")
    meta = Meta.read(maker.root / run)
    assert (meta.tags, meta.note, meta.pinned) == ([], "", False)
    press(context, "A")
    assert run not in [row.id for row in context.list.shown]
    press(context, "H")
    assert run in [row.id for row in context.list.shown]
    press(context, "u")
    assert not Meta.read(maker.root / run).archived


def test_tags_of_marked_runs_are_written_to_all(context, ready, world, press, maker):
    ready(context).list.marks = [world["student"], world["second"]]
    press(context, "t", '"pair"', "enter")
    assert all(Meta.read(maker.root / world[name]).tags == ["pair"] for name in ("student", "second"))


def test_archiving_several_runs_needs_a_typed_yes(context, ready, world, press, maker):
    ready(context).list.marks = [world["student"], world["second"]]
    press(context, "A", '"no"', "enter")
    assert context.prompt is not None and not Meta.read(maker.root / world["student"]).archived
    press(context, "ctrl+u", '"yes"', "enter")
    assert Meta.read(maker.root / world["student"]).archived and context.prompt is None
