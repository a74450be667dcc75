"""The small teacher of these tests."""

from tests.fixtures.tiny_teacher import tiny as tiny
