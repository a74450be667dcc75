"""``engine verify``: everything is made anew, by real processes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.cli import main
from engine.commands import verify
from engine.experiments import verify as verification
from engine.experiments.verify import of_run
from engine.jobs.state import State, Status
from engine.jobs.store import Store

TINY = [
    *("data.world.users=60", "data.world.items=80", "data.world.series=20"),
    *("evaluate.models=[popularity,oracle]", "evaluate.samples=100", "evaluate.timed_requests=0"),
]


def test_everything_is_made_anew_and_what_is_outside_of_its_band_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = {"popularity": {"ndcg@10": [0.5, 0, 1]}, "oracle": {"ndcg@10": [0.95, 0.9, 1]}}
    made = {"targets": "0123456789ab", "device": "cpu"}
    declared = {"demo": {"settings": TINY, "figures": bands, "made": made}}
    monkeypatch.setattr(verification, "declared", lambda: declared)
    assert main(["verify", "demo", "--json", "--runs", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["inside"] and [one["inside"] for one in found["figures"]] == [True, False]
    assert [(one["what"], one["before"]) for one in found["changes"]] == [("test targets", "0123456789ab")]
    again = Store(Path(found["run"]).parent).scan()
    assert [entry.info.stage for entry in again] == ["data", "evaluate"] and Path(found["run"]).name == again[-1].id
    assert Store(tmp_path).scan() == []  # they are no runs among the others, and none can be reused


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_answer_is_the_exit_status(
    shift: float, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(finished.parent)
    entry = replace(store.entry(finished), status=Status(State.DONE))
    claim = of_run(entry)
    bands = [replace(band, low=band.low + shift, high=band.high + shift) for band in claim.bands]
    monkeypatch.setattr(verify, "_claim", lambda *_: replace(claim, bands=bands))
    monkeypatch.setattr(verify, "start", lambda *_: [])
    monkeypatch.setattr(verify, "follow", lambda *_: [entry])
    assert main(["verify", finished.name, "--runs", str(finished.parent)]) == bool(shift)
    text = " ".join(capsys.readouterr().out.split())
    for words, wanted in (("lies inside its band", not shift), ("OUTSIDE", shift), ("student ndcg@10", True)):
        assert (words in text) == bool(wanted)
    assert ("Nothing that was recorded then is different now" in text) == bool(shift)
    assert f"the new run: engine show {finished.name}" in text


def test_what_cannot_be_verified_is_refused_with_what_can(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        ([], "Experiments: demo, ml-100k"),
        (["nothing"], "Experiments: demo, ml-100k"),
        (["ml-100k", "student.droput=0.3"], "student.dropout"),
    ):
        assert main(["verify", *words, "--runs", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err
