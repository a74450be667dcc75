"""Groups of runs from the command line: a run id, ``name=ID,ID``, or an experiment's label."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.errors import RunError, UserError
from engine.jobs.state import State
from engine.jobs.store import Entry, Store
from engine.report import settings
from engine.runs.lineage import lineage
from engine.stages import STAGES

HOW = "Write run ids, name=ID,ID,... or the labels of experiments: engine compare A B"


@dataclass
class Member:
    """One run of a group, and the runs that it was made from, makers first."""

    entry: Entry
    makers: list[Entry]
    gone: list[str]  # ids of makers whose folders are no longer there

    @property
    def seed(self) -> int:
        return self.entry.info.seed

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Dotted names and values of the settings that this run depends on."""
        stages = {self.entry.info.stage, *(maker.info.stage for maker in self.makers)}
        every = settings.settings_of(self.entry.folder)
        return {
            name: value
            for name, value in every.items()
            if (section := name.partition(".")[0]) in stages or section not in STAGES
        }

    def maker(self, stage: str) -> Entry | None:
        """The run of ``stage`` that this one was made from, or itself."""
        return next((run for run in (self.entry, *self.makers) if run.info.stage == stage), None)


@dataclass
class Group:
    """Runs that differ only in their seed, or that the command line put together; in order of their seeds."""

    name: str
    members: list[Member]

    @property
    def label(self) -> str:
        """The experiments that its runs belong to."""
        return ", ".join(dict.fromkeys(member.entry.info.experiment for member in self.members))

    @property
    def seeds(self) -> list[int]:
        return [member.seed for member in self.members]

    def value(self, setting: str) -> Any:
        """The setting's value in this group; a text of all values where the runs differ."""
        values = [member.settings.get(setting) for member in self.members]
        return values[0] if all(value == values[0] for value in values) else ", ".join(map(str, values))


@dataclass
class _NamedRuns:
    """The runs that an argument names, before a stage is chosen."""

    name: str
    runs: list[Entry]
    labelled: bool  # by an experiment's label: runs of any stage


def resolve(words: Sequence[str], store: Store, stage: str | None = None) -> list[Group]:
    """The groups that the arguments name; labels are resolved to runs of one stage.

    A single label is split into its settings. Raises UserError where fewer than two groups come out, or where a run
    stands in two of them.
    """
    entries = store.scan()
    by_id = {entry.id: entry for entry in entries}
    found = [_find(word, entries, store) for word in words]
    chosen = stage or _stage(found)
    groups = []
    for one in found:
        runs = _of_stage(one, chosen) if one.labelled else one.runs
        members = sorted((member_of(run, by_id) for run in runs), key=lambda member: (member.seed, member.entry.id))
        groups += by_settings(members) if one.labelled and len(found) == 1 else [Group(one.name, members)]
    if len(groups) < 2:
        raise UserError(
            f"a comparison needs two groups, and {'these words name' if words else 'no word names'} {len(groups)}",
            remedy=HOW + ("; its models against each other: engine results --seeds" if groups else ""),
        )
    _check_apart(groups)
    return groups


def _find(word: str, entries: Sequence[Entry], store: Store) -> _NamedRuns:
    name, equals, listed = word.rpartition("=")  # a name may itself hold '='
    if not equals:
        labelled = [entry for entry in entries if entry.info.experiment == word]
        if labelled and word not in {entry.id for entry in entries}:
            return _NamedRuns(word, labelled, labelled=True)
        try:
            entry = store.find(word)
        except RunError as error:
            raise RunError(
                error.cause, location=error.location, remedy=error.remedy + _labels(word, entries)
            ) from error
        return _NamedRuns(entry.id, [entry], labelled=False)
    parts = [_find(part, entries, store) for part in listed.split(",") if part]
    if not name or not parts:
        raise UserError(f"'{word}' names no group of runs", remedy=HOW)
    runs = list({run.id: run for part in parts for run in part.runs}.values())
    return _NamedRuns(name, runs, labelled=all(part.labelled for part in parts))


def _labels(word: str, entries: Sequence[Entry]) -> str:
    """Experiments with a similar label, else the newest ones."""
    labels = list(dict.fromkeys(entry.info.experiment for entry in entries))
    shown = difflib.get_close_matches(word, labels, n=3) or labels[-8:]
    return f"; experiments: {', '.join(shown)}" if shown else ""


def _stage(found: Sequence[_NamedRuns]) -> str:
    """The last stage that every label has runs of; that of a run named by its id where the labels have it."""
    labelled = [{run.info.stage for run in one.runs} for one in found if one.labelled]
    common = [name for name in STAGES if all(name in stages for stages in labelled)]
    named = [run.info.stage for one in found if not one.labelled for run in one.runs]
    wanted = next((name for name in named if name in common), common[-1] if common else None)
    if wanted is None:
        raise UserError("these experiments have no stage in common", remedy="See their runs: engine runs LABEL")
    return wanted


def _of_stage(one: _NamedRuns, stage: str) -> list[Entry]:
    """The newest run of each fingerprint: finished runs where there are any, else all runs."""
    own = [run for run in one.runs if run.info.stage == stage]
    if not own:
        raise UserError(f"'{one.name}' has no {stage} run", remedy=f"See its runs: engine runs {one.name}")
    done = [run for run in own if run.state is State.DONE]
    return newest(done or own)


def newest(runs: Sequence[Entry]) -> list[Entry]:
    """The newest run of each fingerprint, a finished one where there is any; ``runs`` are in order of their age."""
    found: dict[str, Entry] = {}
    for run in runs:
        before = found.get(run.info.fingerprint)
        if before is None or run.state is State.DONE or before.state is not State.DONE:
            found[run.info.fingerprint] = run
    return list(found.values())


def member_of(entry: Entry, by_id: Mapping[str, Entry]) -> Member:
    """The run and everything that it was made from and that still exists."""
    found, gone = lineage(entry.id, lambda run: by_id[run].info.inputs.values() if run in by_id else None)
    order = list(STAGES)
    return Member(entry, sorted((by_id[run] for run in found[1:]), key=lambda run: order.index(run.info.stage)), gone)


def by_settings(members: Sequence[Member]) -> list[Group]:
    """Groups of members that differ only in their seed; of each seed the newest run is kept.

    A group is named by the settings in which it differs from the others; by its experiment where it is alone.
    """
    different = differing(members)
    parts: dict[str, dict[int, Member]] = {}
    for member in sorted(members, key=lambda member: (member.entry.info.created, member.entry.id)):
        parts.setdefault(_key(member, different), {})[member.seed] = member
    own = [sorted(part.values(), key=lambda member: member.seed) for part in parts.values()]
    return [Group(_key(part[0], different) or part[0].entry.info.experiment, part) for part in own]


def by_experiment(members: Sequence[Member]) -> list[Group]:
    """The same groups, named by their experiments and, where one has several, by the settings that tell them apart."""
    groups = by_settings(members)
    named = []
    for group in groups:
        alike = [other.members[0] for other in groups if other.label == group.label]
        key = _key(group.members[0], differing(alike)) if len(alike) > 1 else ""
        named.append(Group(f"{group.label}  {key}".strip(), group.members))
    return named


def data_settings(group: Group) -> list[str]:
    """Settings of the data that are not the same in all runs of a group, those that follow the seed included."""
    names = dict.fromkeys(name for member in group.members for name in member.settings if name.startswith("data."))
    return [name for name in names if len({repr(member.settings.get(name)) for member in group.members}) > 1]


def repetitions(group: Group, targets: Sequence[str]) -> list[Group]:
    """The group where its runs are repetitions of each other; else a group for each of the members' ``targets``.

    Runs that ranked other test rows are repetitions only where their settings say so (data.world.seed=${seed}): under
    the same settings, the files have changed between them.
    """
    if len(set(targets)) == 1 or data_settings(group):
        return [group]
    parts: dict[str, list[Member]] = {}
    for member, own in zip(group.members, targets, strict=True):
        parts.setdefault(own, []).append(member)
    return [Group(f"{group.name}  targets={own}", members) for own, members in parts.items()]


def sections(group: Group) -> set[str]:
    """Sections of the configuration that the runs of a group depend on."""
    return {name.partition(".")[0] for member in group.members for name in member.settings}


def differing(members: Sequence[Member]) -> list[str]:
    """Settings that are not the same in all of them, without the seed and what follows it."""
    return settings.differing([member.settings for member in members])


def _key(member: Member, names: Sequence[str]) -> str:
    return " ".join(f"{name}={member.settings.get(name)}" for name in names)


def _check_apart(groups: Sequence[Group]) -> None:
    owner: dict[str, str] = {}
    for group in groups:
        for member in group.members:
            if member.entry.id in owner:
                raise UserError(
                    f"{member.entry.id} stands in {owner[member.entry.id]} and in {group.name}",
                    remedy="A run differs from itself by nothing: name other runs.",
                )
            owner[member.entry.id] = group.name


def pairs(groups: Sequence[Group]) -> Iterator[tuple[int, int]]:
    """Every group against the first one."""
    return ((0, index) for index in range(1, len(groups)))
