"""Reading the tables of finished evaluations: small files, read once a run."""

import csv
from dataclasses import fields
from pathlib import Path

from cockpit.models.result import EvaluationResult
from cockpit.services.folders import Folders
from engine.errors import UserError
from engine.report.evaluation import EvaluationTables
from engine.runs.text import clean

KEPT = 8  # results in memory


class ResultReader:
    """``read`` returns a result, or why there is none. Errors are remembered too: ``forget`` reads anew."""

    def __init__(self, root: Path | Folders) -> None:
        self.root = root
        self._known: dict[str, EvaluationResult | str] = {}

    def read(self, run: str) -> EvaluationResult | str:
        if run not in self._known:
            self._known[run] = _read(self.root / run)
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
        return self._known[run]

    def forget(self, run: str) -> None:
        self._known.pop(run, None)


def _read(folder: Path) -> EvaluationResult | str:
    try:
        tables = EvaluationTables.read(folder)
        for field in fields(tables):  # names come from outside
            rows = getattr(tables, field.name)
            for row in rows if isinstance(rows, list) else []:
                row.update({name: clean(value or "", 300) for name, value in row.items() if name})
        result = EvaluationResult(folder.name, tables)
        _ = result.pairs, result.tables.protocol, result.tables.verdicts  # every number can be read
    except UserError as error:
        return clean(str(error))
    except OSError as error:
        return f"the tables cannot be read: {error.strerror}"
    except (ValueError, KeyError, IndexError, TypeError, csv.Error) as error:
        return clean(f"the tables cannot be read: {type(error).__name__} {error}")
    return result
