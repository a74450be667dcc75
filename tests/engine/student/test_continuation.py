"""Going on from the weights of a former student."""

from pathlib import Path
from typing import Any

import pytest
import torch

from engine import config
from engine.data.ids import rows
from engine.data.stage import run as data
from engine.errors import ConfigError, RunError
from engine.runs.reader import history
from engine.runs.run import Run
from engine.runs.schema import RunInfo, Summary
from engine.student.continuation import NETWORK, put
from engine.student.model import SequenceModel, load_student, save_student
from engine.student.stage import run as student
from tests.fixtures.students import counting


def model(items: int, seed: int = 1, **changes: Any) -> SequenceModel:
    settings = config.load(["student.hidden=8", "student.max_length=5"]).student
    for name, value in changes.items():
        setattr(settings, name, value)
    torch.manual_seed(seed)
    return SequenceModel(items, settings).eval()


@pytest.mark.parametrize("network", ["sasrec", "sasrec-reference", "gru4rec", "caser"])
def test_a_grown_model_is_the_former_one_on_its_items_at_step_0(network: str) -> None:
    more = {"model": network, "filters": 2, "heights": [1, 2]}
    former, grown = model(6, **more), model(9, seed=2, **more)
    drawn = {name: value.clone() for name, value in grown.state_dict().items()}
    put(former, grown, "student-1")
    history = torch.tensor([[1, 2, 6, 3], [4, 0, 0, 0]])
    torch.testing.assert_close(grown.user_vectors(history), former.user_vectors(history))
    (table, bias), (own, own_bias) = grown.item_table(), former.item_table()
    torch.testing.assert_close(table[: rows(6)], own)
    assert (bias is None) == (own_bias is None) and (bias is None or torch.equal(bias[: rows(6)], own_bias))
    assert torch.equal(grown.network.table[rows(6) :], drawn["network.table"][rows(6) :])  # new items as drawn


@pytest.mark.parametrize("name", ["heads", "hidden", "max_length", "normalise", "blocks", "activation"])
def test_another_network_is_refused_by_the_settings_that_differ(name: str) -> None:
    other = {"heads": 4, "hidden": 16, "max_length": 6, "normalise": True, "blocks": 3, "activation": "relu"}[name]
    assert name in NETWORK
    former, grown = model(6), model(9, **{name: other})
    if getattr(former.settings, name) == other:
        former = model(6, **{name: {"normalise": False, "activation": "gelu"}.get(name, 1)})
    with pytest.raises(RunError, match=f"student.{name}") as error:
        put(former, grown, "student-1")
    assert error.value.location == "student.init_from"


def test_a_model_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    one = model(6)
    save_student(tmp_path / "m.safetensors", one)
    content = (tmp_path / "m.safetensors").read_bytes()
    assert b'\\"init_from\\": null, ' in content
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].replace(b'\\"init_from\\": null, ', b"")
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    assert load_student(tmp_path / "m.safetensors").settings == one.settings


def test_a_distillation_does_not_go_on_from_a_student() -> None:
    assert config.load(["student.init_from=student-1"]).distill.student.init_from is None
    with pytest.raises(ConfigError, match="init_from"):
        config.load(["distill.student.init_from=student-1"])


TRAINED = ["student.hidden=16", "student.dropout=0.0", "student.learning_rate=1e-2", "student.batch=32"]


def finished(root: Path, stage: str, name: str, inputs: dict[str, str], *words: str) -> Path:
    folder = root / name
    folder.mkdir()
    RunInfo(name, stage, "try", 1, "f", inputs).write(folder)
    with Run.open(folder) as run:
        {"data": data, "student": student}[stage](config.load(["data=table", *TRAINED, *words]), run)
    return folder


def written(path: Path, users: int, items: int) -> str:
    """Users who count around a circle of items; more users are others, behind the same first ones."""
    rows = [
        f"{user},{item},{step}\n"
        for user, counted in enumerate(counting(150, 20) + counting(users - 150, items, seed=1))
        for step, item in enumerate(counted)
    ]
    path.write_text("user,item,time\n" + "".join(rows))
    return f"data.path={path}"


def test_a_grown_set_needs_a_short_training_to_be_as_good_as_before(tmp_path: Path) -> None:
    finished(tmp_path, "data", "data-1", {}, written(tmp_path / "a.csv", 150, 20))
    finished(tmp_path, "data", "data-2", {}, written(tmp_path / "b.csv", 200, 26), "data.known=data-1")
    finished(tmp_path, "student", "student-1", {"data": "data-1"}, "student.epochs=8", "student.evaluate_every=8")
    short = ["student.epochs=1", "student.evaluate_every=1", "student.learning_rate=2e-3"]
    finished(tmp_path, "student", "scratch", {"data": "data-2"}, *short)
    finished(tmp_path, "student", "grown", {"data": "data-2"}, *short, "student.init_from=student-1")

    def best(name: str) -> float:
        return max(one.values["val_ndcg@10"] for one in history(tmp_path / name).evaluations)

    assert best("student-1") > 0.9 and best("grown") > 0.9 * best("student-1") > 1.3 * best("scratch")
    summary = Summary.read(tmp_path / "grown")
    assert summary is not None and summary.facts["new_items"] == 6


def test_ids_that_do_not_go_on_are_refused_with_the_setting_that_keeps_them(tmp_path: Path) -> None:
    finished(tmp_path, "data", "data-1", {}, written(tmp_path / "a.csv", 150, 20))
    finished(tmp_path, "student", "student-1", {"data": "data-1"}, "student.epochs=1")
    (tmp_path / "b.csv").write_text((tmp_path / "a.csv").read_text() + "0,0,99\n")  # an item before all others
    finished(tmp_path, "data", "data-2", {}, f"data.path={tmp_path / 'b.csv'}")
    with pytest.raises(RunError, match="id 1 is '1' there and '0' here") as error:
        finished(tmp_path, "student", "grown", {"data": "data-2"}, "student.init_from=student-1")
    assert error.value.remedy == "Keep the ids of its data: data.known=data-1"
