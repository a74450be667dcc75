"""A run in MLflow: a run of its own, which knows how far it goes by a tag."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import RunError, require_packages
from engine.jobs.state import State
from engine.mirror.mirrored_run import MirroredRun, RunEnd
from engine.mirror.points import Point, ScalarPoint
from engine.runs.files import make_folder

RUN, POSITION, ENDED = "recdistill.run", "recdistill.position", "recdistill.ended"  # tags
BATCH = 900  # metrics of one request; MLflow takes 1,000, and the tags beside them
PARAMS = 90  # parameters of one request; MLflow takes 100
LONGEST = 500  # characters of a parameter's value that every version of MLflow takes
STATUS = {State.DONE: "FINISHED", State.STOPPED: "KILLED", State.KILLED: "KILLED"}  # of an end; others FAILED


class MlflowStore:
    """A tracking server, or a folder with an SQLite file. Repeated values are the same rows, so nothing doubles."""

    def __init__(self, to: str) -> None:
        """``to``: a tracking URI, or a folder. UserError where mlflow is not installed."""
        require_packages(["mlflow"], "a mirror in MLflow", "mlflow")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # the mirror tries again itself
        from mlflow.tracking import MlflowClient

        uri = to if "://" in to else f"sqlite:///{make_folder(Path(to)).absolute() / 'mlflow.db'}"
        self.uri = uri
        with refusals(uri):
            self.client = MlflowClient(tracking_uri=uri)

    def open(self, run: MirroredRun) -> "MlflowMirror":
        """The run's copy, made where there is none."""
        with refusals(self.uri):
            experiment = self._experiment(run.info.experiment)
            found = self.client.search_runs([experiment], f"tags.\"{RUN}\" = '{run.info.id}'", max_results=1)
            mine = found[0] if found else self._create(experiment, run)
        return MlflowMirror(self, mine)

    def _experiment(self, name: str) -> str:
        known = self.client.get_experiment_by_name(name)
        return str(known.experiment_id if known else self.client.create_experiment(name))

    def _create(self, experiment: str, run: MirroredRun) -> Any:
        from mlflow.entities import Param

        info = run.info
        tags = {RUN: info.id, "stage": info.stage, "fingerprint": info.fingerprint, POSITION: "-1", ENDED: ""}
        made = self.client.create_run(experiment, int(info.created * 1000), tags, run_name=info.id)
        params = [Param(name, str(value)[:LONGEST]) for name, value in run.settings.items()]
        for first in range(0, len(params), PARAMS):
            self.client.log_batch(made.info.run_id, params=params[first : first + PARAMS])
        return made


class MlflowMirror:
    """One run in MLflow. Histograms have no form there: a gate's load and entropy are curves."""

    every = 0.0

    def __init__(self, store: MlflowStore, run: Any) -> None:
        self._store, self._id = store, run.info.run_id
        self.position, self.ended = int(run.data.tags.get(POSITION, -1)), run.data.tags.get(ENDED, "")

    def write(self, points: list[Point], position: int, end: RunEnd | None) -> None:
        from mlflow.entities import Metric, RunTag

        metrics = [
            Metric(_name(point.tag), point.value, int(point.time * 1000), point.step)
            for point in points
            if isinstance(point, ScalarPoint)
        ]
        if end is not None:
            metrics += [Metric(_name(tag), value, int(end.time * 1000), 0) for tag, value in end.figures.items()]
        client, ended = self._store.client, "" if end is None else end.name
        with refusals(self._store.uri):
            if self.ended:  # it goes on after all
                client.update_run(self._id, status="RUNNING")
            for first in range(0, len(metrics), BATCH):
                client.log_batch(self._id, metrics=metrics[first : first + BATCH])
            if end is not None:
                client.set_terminated(self._id, STATUS.get(end.state, "FAILED"), int(end.time * 1000))
            client.log_batch(self._id, tags=[RunTag(POSITION, str(position)), RunTag(ENDED, ended)])
        self.position, self.ended = position, ended


@contextmanager
def refusals(uri: str) -> Iterator[None]:
    """Turns what a server or disk refuses into RunError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:  # requests' errors are OSErrors
        raise RunError(
            f"MLflow refused: {(str(error) or type(error).__name__).splitlines()[0]}",
            location=uri,
            remedy="Nothing is lost: the same command goes on where it stopped.",
        ) from error


def _name(tag: str) -> str:
    """A tag in the characters that MLflow takes: ndcg@10 is ndcg_at_10."""
    return re.sub(r"[^\w\-. :/]", "_", tag.replace("@", "_at_"), flags=re.ASCII)
