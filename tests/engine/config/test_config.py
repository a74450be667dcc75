"""Words and YAML to checked dataclasses."""

import shutil
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, make_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import hydra
import pytest
import yaml

from engine import config
from engine.cli import main
from engine.config import compose
from engine.config.settings import setting
from engine.config.settings.data import DataSettings
from engine.config.settings.tree import settings, tree_of
from engine.errors import ConfigError
from engine.experiments.plan import fingerprints, pipeline
from engine.report.settings import flat


def test_the_default_is_the_demo_world_and_a_sasrec() -> None:
    assert config.resolve([]).choices["data"] == "demo"
    assert config.load([]).student.model == "sasrec"


def test_every_choice_of_every_group_makes_a_sound_configuration() -> None:
    """Data sets and experiments are loaded one by one in settings/test_data.py and test_origins.py, the students and
    ways to distill in the test of a distilled student.
    """
    elsewhere = ("data", "experiment", "student", "distill")
    for group in config.groups().keys() - elsewhere:
        for choice in config.groups()[group]:
            config.load([f"{group}={choice}"])


def test_the_named_experiments_are_there_and_each_keeps_its_own_data() -> None:
    papers = ["paper-dllm2rec-toys", "paper-ilora-movielens"]
    controls = ["no-embedding-distillation", "no-gate", "no-ranking-distillation"]
    sets = ["amazon-toys", "demo", "lastfm", "ml-100k", "ml-1m"]
    assert {*papers, *controls, *sets} <= set(config.groups()["experiment"])
    for name in sets:
        assert config.load([f"experiment={name}"]).data.name == name


def test_the_experiments_of_papers_rank_the_models_that_the_papers_are_about() -> None:
    assert "teacher" in config.load(["experiment=paper-ilora-movielens"]).evaluate.models
    assert {"teacher", "distilled"} <= set(config.load(["experiment=paper-dllm2rec-toys"]).evaluate.models)


@pytest.mark.parametrize("distill", config.groups()["distill"])
@pytest.mark.parametrize("student", config.groups()["student"])
def test_a_distilled_student_is_the_student_with_the_stated_differences(student: str, distill: str) -> None:
    typed = ["student.dropout=0.35", "student.precision=bf16-mixed", "seed=5", "distill.student.epochs=1"]
    loaded = config.load([f"student={student}", f"distill={distill}", *typed])
    own = stated(compose.folder() / "distill" / f"{distill}.yaml")
    differences = {key.removeprefix("student."): value for key, value in own.items() if key.startswith("student.")}
    if distill == "as-released":
        assert differences == {"init_from": None, "loss": "bce", "negatives": 1}
    assert loaded.distill.student == replace(loaded.student, epochs=1, **differences)
    assert (loaded.student.dropout, loaded.student.seed, loaded.student.epochs != 1) == (0.35, 5, True)


def test_a_base_file_is_no_choice() -> None:
    assert (compose.folder() / "data" / "_base.yaml").is_file()
    assert not any(choice.startswith("_") for choices in config.groups().values() for choice in choices)
    with pytest.raises(ConfigError, match="no choice '_base'"):
        config.load(["data=_base"])


def inherited(path: Path) -> dict[str, Any]:
    """The values of the files that a file is a difference over."""
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [name for name in tree.get("defaults", []) if isinstance(name, str)]
    return {key: value for name in names for key, value in stated(path.with_name(f"{name}.yaml")).items()}


def stated(path: Path) -> dict[str, Any]:
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    own.pop("defaults", None)
    return inherited(path) | flat(own)


def test_no_choice_states_a_value_that_it_inherits() -> None:
    files = [file for file in compose.folder().glob("*/*.yaml") if file.parent.name != "experiment"]
    repeated = []
    for file in files:
        before, own = inherited(file), yaml.safe_load(file.read_text(encoding="utf-8"))
        repeated += [f"{file.name}: {key}" for key, value in flat(own).items() if before.get(key, ...) == value]
    assert len(files) > 30 and repeated == []


def test_a_new_setting_of_the_data_needs_its_declaration_and_one_line_of_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "conf"
    shutil.copytree(compose.folder(), folder)
    with (folder / "data" / "_base.yaml").open("a") as file:
        file.write("shuffle: false\n")
    more = make_dataclass("More", [("shuffle", bool, setting("whether rows are shuffled"))], bases=(DataSettings,))
    monkeypatch.setattr(compose, "folder", lambda: folder)
    monkeypatch.setattr(compose, "_files", compose._files.__wrapped__)
    for choice in config.groups()["data"][::7]:  # any other continues the same file
        tree = compose.compose({"data": choice}, {}).tree["data"]
        assert tree_of(more, tree, "data.", "").shuffle is False


def test_the_files_are_composed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[Any] = []
    monkeypatch.setattr(hydra, "compose", lambda *_, real=hydra.compose, **how: composed.append(how) or real(*_, **how))
    compose._files.cache_clear()
    where = ["--runs", str(tmp_path), "--json"]
    assert main(["run", "student", "student.dropout=0.15", "--plan", *where]) == 0
    assert main(["sweep", "student", "student.dropout=0.1,0.2", "seed=1,2,3", "--plan", *where]) == 0
    assert len(composed) == 1


def test_a_typed_value_wins_over_the_files_and_reaches_what_refers_to_it() -> None:
    loaded = config.load(["seed=7", "student.dropout=0.25"])
    assert (loaded.seed, loaded.student.seed, loaded.student.dropout) == (7, 7, 0.25)


def test_a_chosen_group_wins_over_the_experiment() -> None:
    assert config.resolve(["experiment=demo", "data=ml-100k"]).choices["data"] == "ml-100k"


def test_the_default_experiment_says_nothing_of_other_data() -> None:
    demo, other = config.load([]).student, config.load(["data=ml-100k"]).student
    assert demo.learning_rate != other.learning_rate
    assert config.load(["data=ml-100k", "experiment=demo"]).student == demo


def test_chosen_data_without_an_experiment_are_distilled_without_a_language_model() -> None:
    chosen = config.resolve(["data=ml-100k"])
    assert chosen.config == config.load(["data=ml-100k", "experiment=transitions-titles"])
    assert (chosen.choices["experiment"], chosen.label) == ("transitions-titles", "ml-100k")
    assert chosen.config.knowledge.models == ["transitions+titles"] and "distilled" in chosen.config.evaluate.models
    assert config.load(["data=ml-100k", "experiment=no-gate"]).knowledge.models == ["teacher"]


@pytest.mark.parametrize(
    "word",
    ["distill=as-released", "teacher=generate", "knowledge.models=[teacher]", "evaluate.models=[teacher,distilled]"],
)
def test_what_is_chosen_to_teach_chosen_data_is_not_mixed_with_that_experiment(word: str) -> None:
    chosen = config.resolve(["data=ml-100k", word])
    assert "experiment" not in chosen.choices and chosen.config.knowledge.models == ["teacher"]
    assert chosen.config.distill.ranking.weight > 0 == chosen.config.distill.kl.weight


def test_a_setting_beside_chosen_data_changes_that_experiment_alone() -> None:
    words = ["data=ml-100k", "distill.student.epochs=7", "evaluate.models=[student,distilled]"]
    assert config.load(words) == config.load([*words, "experiment=transitions-titles"])


@pytest.mark.parametrize("text", ["a,b=c", "x # y", "${seed}", "[1", "'q'", "true", "1e3", "~", "a: b"])
def test_a_text_setting_keeps_exactly_what_was_typed(text: str) -> None:
    assert config.load([f"data.name={text}"]).data.name == text


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("student.dropot=0.1", "Did you mean student.dropout"),
        ("dropout=0.1", "student.dropout"),
        ("student.dropout=1", "less than 1"),
        ("student.dropout=high", "is not a number"),
        ("student.hidden=64.5", "whole number"),
        ("data=demmo", "Did you mean demo"),
        ("experiment=nothing-like-it", "Available: "),
        ("student=sasrec=x", "has no choice"),
        ("student.x.y=1", "no setting"),
        ("data.world=1", "is a section"),
        ("+student.new=1", "add or remove"),
        ("~student", "key=value"),
        ("seed", "key=value"),
        ("teacher.generate.candidates=10", "teacher=rank has no teacher.generate\nChoose teacher=generate"),
        ("launcher.slurm.partition=gpu", "Choose launcher=slurm"),
        ("student.hidden=63 ", ""),
    ],
)
def test_a_wrong_word_is_refused_with_a_way_out(word: str, says: str) -> None:
    if not says:
        assert config.load([word]).student.hidden == 63  # spaces around a number mean nothing
        return
    with pytest.raises(ConfigError) as caught:
        config.load([word])
    assert says in str(caught.value)


def test_two_settings_that_exclude_each_other_are_refused_together() -> None:
    with pytest.raises(ConfigError, match=r"multiple of student\.heads"):
        config.load(["student.hidden=64", "student.heads=3"])


def test_a_dumped_configuration_reads_back_as_itself(tmp_path: Path) -> None:
    loaded = config.load(["student.learning_rate=1e-5", "data.name=Ünïcode: [x] # ${y}"])
    path = tmp_path / "config.yaml"
    path.write_text(config.dump(loaded), encoding="utf-8")
    assert config.read(path) == loaded


def test_a_damaged_configuration_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("student: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        config.read(path)


def sections(kind: Any) -> Iterator[Any]:
    """The dataclass and every one nested in it, those that may be null too."""
    yield kind
    for hint in get_type_hints(kind).values():
        for part in (hint, *get_args(hint)):
            if is_dataclass(part):
                yield from sections(part)


def test_no_setting_has_a_default_in_code() -> None:
    every = {kind.__name__: kind for kind in sections(config.Config)}
    assert {"GateSettings", "RankSettings", "WorldSettings", "SlurmSettings"} <= every.keys()
    with_default = [
        f"{name}.{item.name}"
        for name, kind in every.items()
        for item in fields(kind)
        if item.default is not MISSING or item.default_factory is not MISSING
    ]
    assert with_default == []


def test_every_setting_says_what_it_means() -> None:
    assert [item.key for item in settings(config.Config) if not item.meta.get("help")] == []


@pytest.mark.parametrize(
    ("words", "trials"),
    [
        ([], (1, 2, 3)),
        (["seed=4", "student.seed=5", "data.window=20", "trainer.report_every=5"], (1, 2, 3)),
        (["student.dropout=0.35"], (None, 2, None)),  # distillation begins from the student's settings
        (["student=gru4rec"], (None, 2, None)),
        (["distill.kl.weight=0.1", "teacher.steps=9"], (1, None, None)),
        (["student.dropout=0.35", "search.student=8", "search.distill=0"], (8, 2, 0)),
        (["search.student=8"], (8, 2, 3)),
    ],
)
def test_trials_that_chose_settings_are_not_claimed_for_others(
    words: list[str], trials: tuple[int | None, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are their epochs, nor these for other trials that are given without any."""
    stated = {"student": 1, "teacher": 2, "distill": 3}
    folder = tmp_path / "conf"
    shutil.copytree(compose.folder(), folder)
    demo = folder / "experiment" / "demo.yaml"
    tree = yaml.safe_load(demo.read_text(encoding="utf-8")) | {
        "search": stated | {f"{name}_epochs": 9 for name in stated}
    }
    demo.write_text("# @package _global_\n" + yaml.safe_dump(tree))
    monkeypatch.setattr(compose, "folder", lambda: folder)
    monkeypatch.setattr(compose, "_files", compose._files.__wrapped__)
    found = config.load(words).search
    assert (found.student, found.teacher, found.distill) == trials
    epochs = (found.student_epochs, found.teacher_epochs, found.distill_epochs)
    assert epochs == tuple(9 if own == count else None for own, count in zip(trials, stated.values(), strict=True))


def test_the_size_of_a_search_makes_nothing_anew(tmp_path: Path) -> None:
    def prints(*words: str) -> dict[str, str]:
        loaded = config.load(words)
        return fingerprints(pipeline("evaluate", loaded), loaded, tmp_path)

    assert prints() == prints("search.student=7", "search.teacher=8", "search.distill=null", "search.distill_epochs=5")
