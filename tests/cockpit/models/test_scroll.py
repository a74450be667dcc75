"""Scrolling and cursors at both ends of a list."""

from cockpit.models.scroll import FAR, Cursor, Scroll


def test_a_text_scrolls_no_further_than_its_last_page():
    scroll = Scroll()
    scroll.move(FAR)
    assert scroll.fit(count=100, rows=30) == 70
    scroll.move(-1)
    assert scroll.fit(100, 30) == 69
    scroll.move(-FAR)
    assert scroll.fit(100, 30) == 0


def test_a_short_text_does_not_scroll():
    scroll = Scroll()
    scroll.move(5)
    assert scroll.fit(count=3, rows=30) == 0


def test_a_page_is_half_of_what_is_visible_and_never_nothing():
    scroll = Scroll()
    scroll.fit(100, 31)
    assert scroll.page == 15
    scroll.fit(100, 0)
    assert scroll.page == 1


def test_a_line_is_kept_visible_with_as_little_scrolling_as_possible():
    scroll = Scroll()
    assert scroll.show(line=9, count=50, rows=10) == 0
    assert scroll.show(line=10, count=50, rows=10) == 1
    assert scroll.show(line=5, count=50, rows=10) == 1
    assert scroll.show(line=0, count=50, rows=10) == 0


def test_a_cursor_stays_within_its_list_and_in_view():
    cursor = Cursor()
    cursor.step(FAR, 20)
    assert cursor.line == 19 and cursor.fit(20, 5) == 15
    cursor.step(-1, 20)
    assert cursor.line == 18 and cursor.fit(20, 5) == 15
    assert cursor.fit(count=3, rows=5) == 0 and cursor.line == 2
    cursor.step(1, 0)
    assert cursor.line == 0


def test_a_cursor_follows_its_item_when_the_list_changes():
    cursor = Cursor(line=1)
    cursor.stay("b", ["c", "a", "b"])
    assert cursor.line == 2
    cursor.stay("b", ["c"])
    assert cursor.line == 0
