"""What varies within an experiment: the settings with which its runs of a stage were started, where they differ."""

from collections.abc import Mapping, Sequence

from cockpit.models.rows import Row

SEED = "seed"
Kind = tuple[str, str]  # experiment, stage


class Varying:
    """Names of the settings that vary, by experiment and stage; the seed has a column of its own."""

    def __init__(self) -> None:
        self._names: dict[Kind, list[str]] = {}
        self._known: tuple[str, ...] = ()

    def update(self, rows: Mapping[str, Row]) -> None:
        """Look again where runs were added or have gone; the command of a run never changes."""
        ids = tuple(rows)
        if ids == self._known:
            return
        self._known = ids
        values: dict[Kind, dict[str, set[str]]] = {}
        counts: dict[Kind, int] = {}
        given: dict[Kind, dict[str, int]] = {}
        for row in rows.values():
            kind = row.experiment, row.stage
            counts[kind] = counts.get(kind, 0) + 1
            own, seen = values.setdefault(kind, {}), given.setdefault(kind, {})
            for name, value in row.overrides.items():
                own.setdefault(name, set()).add(value)
                seen[name] = seen.get(name, 0) + 1
        self._names = {kind: _differing(own, given[kind], counts[kind]) for kind, own in values.items()}

    def names(self, row: Row) -> list[str]:
        """The settings that vary among the runs like this one."""
        return self._names.get((row.experiment, row.stage), [])

    def texts(self, rows: Sequence[Row]) -> tuple[str, dict[str, str]]:
        """The title of a column and its text by run. Rows in which the same settings vary have only values in it."""
        kinds = {tuple(names) for row in rows if (names := self.names(row))}
        varied = [row for row in rows if self.names(row)]
        if len(kinds) != 1:
            return "varies", {row.id: self.named(row) for row in varied}
        (common,) = kinds
        cells = [[row.overrides.get(name, "-") for name in common] for row in varied]
        table = [[short(name) for name in common], *cells]
        widths = [max(len(line[index]) for line in table) for index in range(len(common))]
        title, *lines = [
            "  ".join(text.ljust(size) for text, size in zip(line, widths, strict=True)).rstrip() for line in table
        ]
        return title, {row.id: line for row, line in zip(varied, lines, strict=True)}

    def named(self, row: Row) -> str:
        """The values of a run with the names of the settings."""
        return " ".join(f"{short(name)}={row.overrides[name]}" for name in self.names(row) if name in row.overrides)


def _differing(values: Mapping[str, set[str]], given: Mapping[str, int], count: int) -> list[str]:
    """Settings with several values; where there are none, those that only some of the runs were given."""
    several = [name for name, texts in values.items() if name != SEED and len(texts) > 1]
    return several or [name for name in values if name != SEED and given[name] < count]


def short(name: str) -> str:
    """A setting without its section."""
    return name.rpartition(".")[2]
