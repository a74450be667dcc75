"""The widget refreshes only rows that changed, and lets no control character through."""

from cockpit.frame import Frame
from cockpit.theme import palette


def test_what_slips_through_is_stopped_at_the_frame():
    strip = Frame(palette(256))._strip([("a\x1b]0;x\x07\u202eb", "bold")])
    assert strip.text == "a\ufffd]0;x\ufffd\ufffdb"


def test_only_changed_rows_are_refreshed(monkeypatch):
    frame = Frame(palette(256))
    refreshed = []
    monkeypatch.setattr(Frame, "refresh", lambda self, *regions: refreshed.append([region.y for region in regions]))
    assert frame.show([[("a", "")], [("b", "")], [("c", "")]]) == 3
    assert frame.show([[("a", "")], [("B", "")], [("c", "bold")]]) == 2
    assert frame.show([[("a", "")], [("B", "")], [("c", "bold")]]) == 0
    assert refreshed == [[], [1, 2]]
