"""Reasons why a comparison may mislead: one function per caveat."""

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from engine.compare.differences import common_seeds
from engine.compare.figures import Evaluated, shared
from engine.compare.groups import Group, Member, differing, pairs, sections
from engine.jobs.state import State
from engine.jobs.store import Entry
from engine.report.searches import Size, size
from engine.runs.reader import history
from engine.stages import STAGES, VAL_NDCG
from engine.wire import Caveat

Groups = Sequence[Group]


def notes(groups: Groups, evaluations: Sequence[Sequence[Evaluated]]) -> list[Caveat]:
    """Every caveat about these groups; ``evaluations`` of their members, empty for trainings."""
    found = [note for caveat in CAVEATS for note in caveat(groups)]
    if not evaluations:
        return found
    return [*found, *_protocol(groups, evaluations), *_shared(evaluations), *_below_untrained(groups, evaluations)]


def _below_untrained(groups: Groups, evaluations: Sequence[Sequence[Evaluated]]) -> Iterator[Caveat]:
    """Trained models that rank below one that needs no training: no difference between them makes them good."""
    named = [(group.name, one) for group, found in zip(groups, evaluations, strict=True) for one in found]
    for least in dict.fromkeys(least for _, one in named for least in one.below.values()):
        parts = []
        for model in dict.fromkeys(model for _, one in named for model, best in one.below.items() if best == least):
            worse = [(name, one) for name, one in named if one.below.get(model) == least]
            names = dict.fromkeys(name for name, _ in worse)
            where = "" if len(names) == len(groups) else f" of {_some(list(names))}"
            own, other = (fmean(float(one.rows[key]["ndcg@10"]) for _, one in worse) for key in (model, least))
            parts.append(f"{model}{where} ({own:.4f} and {other:.4f}; {len(worse)} of {len(named)} runs)")
        yield Caveat(
            "below-untrained",
            f"below {least}, which needs no training, and so not called better (mean ndcg@10): {', '.join(parts)}",
        )


def _shared(evaluations: Sequence[Sequence[Evaluated]]) -> Iterator[Caveat]:
    for model, runs in shared(evaluations).items():
        yield Caveat("same-model", f"the {model} is the same in every group, so it is not compared: {_some(runs)}")


def _stages(groups: Groups) -> Iterator[Caveat]:
    stages = [sorted({member.entry.info.stage for member in group.members}) for group in groups]
    if len({tuple(names) for names in stages}) > 1:
        listed = "; ".join(f"{group.name}: {', '.join(names)}" for group, names in zip(groups, stages, strict=True))
        yield Caveat("stage-differs", f"the runs are of different stages ({listed})")


def _missing(groups: Groups) -> Iterator[Caveat]:
    known = [sections(group) for group in groups]
    for stage in STAGES:
        without = [group.name for group, own in zip(groups, known, strict=True) if stage not in own]
        if 0 < len(without) < len(groups):
            yield Caveat(
                "stage-missing", f"no {stage} in {', '.join(without)}: its settings are not held against each other"
            )


def _data(groups: Groups) -> Iterator[Caveat]:
    prints = [{maker.info.fingerprint if maker else None for maker in _each(group, "data")} for group in groups]
    if any(None in known for known in prints):
        yield Caveat("data-unknown", "the data of some runs is no longer there, so it may not be the same")
    elif len(set.union(*prints)) > 1:
        within = any(len(known) > 1 for known in prints)
        yield Caveat("data-differs", f"the runs {'of a group ' if within else ''}were not made from the same data")


def _each(group: Group, stage: str) -> list[Entry | None]:
    return [member.maker(stage) for member in group.members]


def _code(groups: Groups) -> Iterator[Caveat]:
    dirty = [run.id for run in _runs(groups) if run.info.git.get("dirty")]
    if dirty:
        yield Caveat("dirty", f"made from code with uncommitted changes: {_some(dirty)}")
    commits = {str(member.entry.info.git.get("sha") or "?")[:10] for group in groups for member in group.members}
    if len(commits) > 1:
        yield Caveat("code-differs", f"the runs were made from different versions of the code: {', '.join(commits)}")


def _ends(groups: Groups) -> Iterator[Caveat]:
    runs = [member.entry for group in groups for member in group.members]
    living = [run.id for run in runs if run.state.living]
    early = [f"{run.id} ({run.state.value})" for run in runs if not run.state.living and run.state is not State.DONE]
    if living:
        yield Caveat("unfinished", f"still at work, so the figures will change: {_some(living)}")
    if early:
        yield Caveat("stopped-early", f"ended before their time: {_some(early)}")


def _converged(groups: Groups) -> Iterator[Caveat]:
    """Runs that were still improving: a baseline that needs more steps looks worse than it is."""
    rising = [run.id for run in _runs(groups) if run.state is State.DONE and still_improving(run)]
    if rising:
        yield Caveat(
            "still-improving",
            f"the last evaluation was the best one, so more steps may give more: {_some(rising)}",
        )


def still_improving(run: Entry) -> bool:
    """Whether the last of at least two evaluations of a training was the best one."""
    if VAL_NDCG not in STAGES[run.info.stage].metrics or not STAGES[run.info.stage].groups:
        return False
    evaluations = history(run.folder).evaluations
    return len(evaluations) > 1 and evaluations[-1].best


def _seeds(groups: Groups) -> Iterator[Caveat]:
    single = [group.name for group in groups if len(set(group.seeds)) == 1]
    if single:
        yield Caveat("one-seed", f"one seed says nothing about another seed: {_some(single)}")
    twice = [group.name for group in groups if len(set(group.seeds)) < len(group.seeds)]
    if twice:
        yield Caveat("repeated-seed", f"a seed stands more than once and pairs with nothing: {_some(twice)}")
    for base, other in pairs(groups):
        a, b = groups[base], groups[other]
        if sorted(set(a.seeds)) != sorted(set(b.seeds)):
            shared = len(common_seeds(a, b))
            yield Caveat(
                "unequal-seeds",
                f"{a.name} has seeds {_listed(a.seeds)}, {b.name} {_listed(b.seeds)}: {shared} can be paired",
            )


def _mixed(groups: Groups) -> Iterator[Caveat]:
    for group in groups:
        different = differing(group.members)
        if different:
            yield Caveat("mixed-settings", f"the runs of {group.name} differ in {_some(different)}, not only by seed")


def _gone(groups: Groups) -> Iterator[Caveat]:
    gone = [run for member in _members(groups) for run in member.gone]
    if gone:
        yield Caveat("made-from-gone", f"what they were made from is no longer there: {_some(gone)}")


def _protocol(groups: Groups, evaluations: Sequence[Sequence[Evaluated]]) -> Iterator[Caveat]:
    rows = [one.main for group in evaluations for one in group]
    seen = {row["hide_seen"] for row in rows}
    if len(seen) > 1:
        used = "hidden" if rows[0]["hide_seen"] == "true" else "not hidden"
        yield Caveat(
            "protocol-differs", f"their main figures treat seen items differently; here they are {used} for all"
        )
    if len({row["split_rule"] for row in rows}) > 1:
        yield Caveat("protocol-differs", "the test rows were split off in different ways")
    meant = [list(dict.fromkeys(one.about for one in group)) for group in evaluations]
    if len({about for group in meant for about in group}) > 1:
        parts = [
            f"{group.name}: {' or '.join(about or 'what their names say' for about in own)}"
            for group, own in zip(groups, meant, strict=True)
        ]
        yield Caveat("models-differ", f"models of one name are not of one kind; {'; '.join(parts)}")
    for base, other in pairs(groups):
        a, b = ({one.targets for one in evaluations[index]} for index in (base, other))
        if a != b:
            yield Caveat(
                "targets-differ",
                f"{groups[base].name} and {groups[other].name} did not rank the same test rows: nothing is decided "
                "where they differ",
            )


def _members(groups: Groups) -> Iterator[Member]:
    return (member for group in groups for member in group.members)


def _runs(groups: Groups) -> list[Entry]:
    """All runs and what they were made from, each once."""
    return list({run.id: run for member in _members(groups) for run in (member.entry, *member.makers)}.values())


def _some(names: Sequence[str], count: int = 4) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(set(seeds))))


def _searches(groups: Groups) -> Iterator[Caveat]:
    """Baselines that were searched less than what they are compared with: the more is tried, the better the best."""
    for base, other in pairs(groups):
        a, b = groups[base], groups[other]
        for stage in sections(a) & sections(b) & STAGES.keys():
            before, after = (_sizes(group, f"search.{stage}") for group in (a, b))
            sides = ", ".join(f"{g.name} {' / '.join(map(str, own))}" for g, own in ((a, before), (b, after)))
            known = [all(size.trials is not None for size in own) for own in (before, after)]
            if any(one.less(two) for one in before for two in after):
                yield Caveat("unequal-search", f"{stage} was searched less, which favours {b.name}: {sides}")
            elif known[0] != known[1] and any(size.trials for size in (*before, *after)):
                yield Caveat("unequal-search", f"{stage} may not have been searched alike: {sides}")


def _sizes(group: Group, trials: str) -> list[Size]:
    """Every size of the search for a stage's settings that the runs of a group record."""
    return list(dict.fromkeys(size(member.settings, trials) for member in group.members))


CAVEATS: tuple[Callable[[Groups], Iterator[Caveat]], ...] = (
    *(_stages, _missing, _data, _code, _ends, _converged, _seeds, _mixed, _gone, _searches),
)
