"""Fixtures that tests of several packages share lie in tests/fixtures."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.fixtures.jobs", "tests.fixtures.evaluations", "tests.fixtures.small_runs"]

# As a stage on a small machine has it: two workers of pytest on two cores, each with two spinning threads, take ten
# times as long. Read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A machine that others use, too, makes an example slow, not wrong.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

MEMORY = "/dev/shm"
ROOM = 4 * 2**30  # bytes that have to be free; all tests together write a tenth of it


def in_memory() -> bool:
    """Whether the files of tests can lie in main memory: there is room, and a program among them can be started."""
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return False
    usable = os.access(MEMORY, os.W_OK) and not found.f_flag & os.ST_NOEXEC
    return usable and found.f_bavail * found.f_frsize > ROOM


# A run waits for the disk whenever it writes a file anew, and what a test writes need not outlive the machine.
if in_memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The type checker's minute without a cache comes first: as the last test, all other workers would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("tools") is None)
