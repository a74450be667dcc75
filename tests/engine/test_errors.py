"""The text of an error that the user can fix."""

from engine.errors import ConfigError, UserError


def test_location_cause_and_remedy_are_shown_and_missing_parts_are_left_out() -> None:
    error = ConfigError("2 is not less than 1", location="student.dropout", remedy="Use for example 0.2.")
    assert str(error) == "student.dropout: 2 is not less than 1\nUse for example 0.2."
    assert str(UserError("no run is named")) == "no run is named"
