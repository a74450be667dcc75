"""Fixtures that tests of several packages share lie in tests/fixtures."""

import os

from hypothesis import settings

pytest_plugins = ["tests.fixtures.jobs", "tests.fixtures.evaluations", "tests.fixtures.small_runs"]

# As a stage on a small machine has it: two workers of pytest on two cores, each with two spinning threads, take ten
# times as long. Read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A machine that others use, too, makes an example slow, not wrong.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
