"""The checks of ``engine doctor``, as the page lists them."""

import pytest

from cockpit.models.findings import findings
from engine.wire import Examination, ReportedCheck, plain


def test_the_gravest_check_comes_first_and_an_unknown_verdict_counts_as_a_failure():
    verdicts = ["pass", "skip", "new", "warn", "fail"]
    checks = [ReportedCheck(verdict, "data", verdict, "seen") for verdict in verdicts]
    found = findings(plain(Examination(False, 1.0, checks)))
    assert [one.check for one in found] == ["new", "fail", "warn", "pass", "skip"]


@pytest.mark.parametrize("answer", [None, [], {"checks": 3}, {"sound": True, "seconds": 1.0, "checks": [3]}])
def test_an_answer_without_checks_is_no_examination(answer):
    assert findings(answer) is None
