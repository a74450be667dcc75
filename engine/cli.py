"""The command ``engine``: arguments to functions, errors to exit statuses. Heavy imports happen inside the commands.

Exit status: 0 done, 1 the work failed, 2 the user can fix it, 130 interrupted, 143 a stage that was asked to stop.
Results go to stdout, progress and errors to stderr.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import UserError
from engine.report.completion import PrintCompletion
from engine.report.console import make_printable
from engine.runs.files import require_folder
from engine.runs.text import clean_lines
from engine.stages import EXPORTED, STAGES


class Positional(NamedTuple):
    """The positional arguments of a command: attribute of the options, name in the usage, help."""

    dest: str
    metavar: str
    help: str


KEYS = "stage and settings: group=choice, key=value"
SETTINGS = Positional("overrides", "[STAGE] [KEY=VALUE]", KEYS)
FILE = Positional("overrides", "[FILE] [KEY=VALUE]", "file or folder with interactions, or settings: data=CHOICE")
GRID = Positional(
    "overrides", "[STAGE] [KEY=A,B,C]", f"{KEYS}; KEY=A,B,C lists values, KEY=1..5 counts, [A,B] is one value"
)
SPACE = Positional(
    "overrides",
    "[STAGE] [KEY=SPACE]",
    "KEY=LOW..HIGH, KEY=log:LOW..HIGH and KEY=A,B are searched; other settings are fixed",
)
EXAMINED = Positional("overrides", "[STAGE|ID] [KEY=VALUE]", f"{KEYS}; or a run id")
VERIFIED = Positional("overrides", "NAME|ID [KEY=VALUE]", "experiment with declared figures, or an evaluation's run id")
RUNS = Positional("ids", "ID", "run ids; a unique prefix or 'last' is enough")
RUN = Positional("ids", "ID", "run id; a unique prefix or 'last' is enough")
SHIPPED = Positional("ids", "[model|adapter] ID", "what is written, and a run id")
MIRRORED = Positional("ids", "[ID]", "run ids, or labels of experiments; all runs without")
FILTERS = Positional("filters", "[TEXT]", "only runs whose id, stage, state or label has TEXT")
EVALUATIONS = Positional("filters", "[TEXT]", "only evaluations whose id or label has TEXT")
GROUPS = Positional(
    "groups", "GROUP", "run id, name=ID,ID,... or label of an experiment; a single label is split by its settings"
)
ACTION = Positional("arguments", "[ACTION] [ID]", "first, sooner, later, last, pause or unpause, then run ids")


def parser() -> argparse.ArgumentParser:
    """Every command with its options. ``function`` names the module and function that carry a command out."""
    top = argparse.ArgumentParser(
        prog="engine",
        description="Distil an LLM recommender into a small sequential model, with checks and significance tests.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_stage_list(),
    )
    top.add_argument("--completion", action=PrintCompletion, words=_completed_words)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ENGINE_RUNS, or runs/)")
    shared.add_argument("--json", action="store_true", help="print the result as one JSON value")

    def command(
        name: str, function: str, positional: Positional, summary: str, details: str = ""
    ) -> argparse.ArgumentParser:
        description = f"{summary[0].upper()}{summary[1:]}. {details}"
        sub = commands.add_parser(name, help=summary, description=description, parents=[shared])
        sub.set_defaults(function=function, positional=positional.dest)
        sub.add_argument(positional.dest, nargs="*", metavar=positional.metavar, help=positional.help)
        return sub

    run = command("run", "run:run", SETTINGS, "run a stage and every stage it depends on")
    sweep = command(
        "sweep",
        "sweep:sweep",
        GRID,
        "run every combination of the given values as one experiment",
        "Runs that several combinations share are made once. A failed combination does not stop the others.",
    )
    for sub in (run, sweep):
        sub.add_argument("--experiment", metavar="NAME", help="label that groups the runs")
        sub.add_argument("--again", action="store_true", help="run the stage anew even if a finished run can be reused")
        sub.add_argument("--plan", action="store_true", help="print what would run and what is reused; start nothing")
        sub.add_argument("--detach", action="store_true", help="start the runs and return at once")
    summary = "search settings by a metric on validation rows"
    tune = command("tune", "tune:tune", SPACE, summary, "The same command continues an interrupted search.")
    tune.add_argument("--trials", type=int, default=20, metavar="N", help="total number of trials (default: 20)")
    tune.add_argument("--metric", metavar="NAME", help="validation metric to optimise (default: val_ndcg@10)")
    tune.add_argument("--experiment", metavar="NAME", help="label of the search and its runs")

    summary = "what would be read and dropped of a file or set, and why; runs nothing"
    command("data", "data:data", FILE, summary)

    command("runs", "inspect:runs", FILTERS, "list the runs")
    command("show", "inspect:show", RUNS, "facts, metrics and the main curve of runs")
    logs = command("logs", "inspect:logs", RUN, "print the console output of a run")
    logs.add_argument("-f", "--follow", action="store_true", help="keep printing until the run ends")

    stop = command("stop", "control:stop", RUNS, "ask runs to write a checkpoint and end")
    when = stop.add_mutually_exclusive_group()
    when.add_argument("--after-evaluation", action="store_true", help="stop after the next validation")
    when.add_argument("--kill", action="store_true", help="end the process at once, without a checkpoint")
    resume = command("resume", "control:resume", RUNS, "continue interrupted runs")
    resume.add_argument("--detach", action="store_true", help="start the runs and return at once")
    rm = command("rm", "control:remove", RUNS, "delete runs")
    rm.add_argument("--force", action="store_true", help="also delete runs that are inputs of other runs")
    command("queue", "queue:queue", ACTION, "list running and waiting runs; reorder or pause waiting ones")

    results = command("results", "results:results", EVALUATIONS, "one row per model and finished evaluation")
    results.add_argument("--csv", type=Path, metavar="FILE", help="write the table to FILE (- for stdout)")
    results.add_argument(
        "--format",
        choices=("markdown", "latex", "html", "csv"),
        help="a table for a paper: mean ± sd over seeds, the best marked; with --board by the settings that differ",
    )
    results.add_argument("--seeds", action="store_true", help="mean and spread over seeds, and tests between models")
    results.add_argument("--splits", action="store_true", help="splits of the data beside each other, and their orders")
    results.add_argument("--all", action="store_true", help="every protocol and split, not only the main one")
    results.add_argument("--board", action="store_true", help="one experiment's runs by the settings that differ")
    results.add_argument("--metric", metavar="NAME", help="of the board: what chooses the best (default: validation)")
    results.add_argument("--stage", choices=STAGES, metavar="STAGE", help="of the board: which runs (default: last)")

    compare = command("compare", "compare:compare", GROUPS, "compare runs or groups of seeds, with significance tests")
    compare.add_argument("--csv", type=Path, metavar="FILE", help="write the metric rows to FILE (- for stdout)")
    compare.add_argument("--curve", metavar="METRIC", help="also plot a metric over steps, with the range over seeds")
    compare.add_argument("--all", action="store_true", help="also list the settings that are equal")
    compare.add_argument(
        "--stage", choices=STAGES, metavar="STAGE", help="which runs of the experiments (default: last)"
    )

    for sub in (results, compare):
        sub.add_argument(
            "--correction",
            choices=("holm", "bh"),
            default="holm",
            help="of p for several tests: Holm (default), or Benjamini and Hochberg's false discovery rate",
        )
        sub.add_argument(
            "--test",
            choices=("sign-flip", "wilcoxon"),
            default="sign-flip",
            help="over rows: random signs of the mean difference (default), or Wilcoxon's signed ranks",
        )

    doctor = command(
        "doctor",
        "doctor:doctor",
        EXAMINED,
        "check an experiment or a run for common faults",
        "Stages without a finished run are executed for a few steps on a subset of the data.",
    )
    doctor.add_argument("--only", action="append", metavar="TEXT", help="checks whose name has TEXT; may be repeated")
    doctor.add_argument("--lines", action="store_true", help="with --json: also a line for each check as it ends")
    doctor.add_argument("--list", action="store_true", help="print every check, the fault it detects and its test")

    summary = "recommendations of baseline, teacher and student side by side"
    details = "With --file, --csv or --vectors only the best student is used."
    recommend = command("recommend", "recommend:recommend", RUN, summary, details)
    recommend.add_argument(
        "--history", nargs="+", action="extend", metavar="TITLE", help="titles or raw ids, oldest first"
    )
    recommend.add_argument("--user", metavar="ID", help="raw id of a held-out user; the true next item is marked")
    recommend.add_argument("--no-live", action="store_true", help="show only stored teacher rankings; load no teacher")
    recommend.add_argument("--file", type=Path, metavar="FILE", help="CSV of rows user,item (titles or raw ids)")
    recommend.add_argument("--csv", type=Path, metavar="FILE", help="write user,rank,item,raw,title,score to FILE")
    recommend.add_argument("--vectors", type=Path, metavar="FILE", help="write user and item vectors as Parquet")
    recommend.add_argument("--count", type=int, default=10, metavar="N", help="list length (default: 10)")
    recommend.add_argument(
        "--show-seen",
        action=argparse.BooleanOptionalAction,
        help="also recommend items of the history (default: where the data repeat them, as evaluate.hide_seen=auto)",
    )
    command(
        "verify",
        "verify:verify",
        VERIFIED,
        "run a measured result again: is it inside its band, and what is different",
        "Everything is made anew, in a folder below the runs. Exit status 1 where a figure is outside.",
    )
    summary = "answer recommendation requests over stdin and stdout"
    command("serve-local", "serve_local:serve", RUN, summary, "One JSON object per line; it ends with its input.")

    summary = "write a run as files for other programs"
    details = (
        "model: the trained student as ONNX or vectors, with a model card. adapter: the teacher's experts in peft's "
        "format. Without a word: a data or knowledge run as files of the published DLLM2Rec."
    )
    export = command("export", "export:export", SHIPPED, summary, details)
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder to write the files into")
    export.add_argument(
        "--format", choices=("onnx", "safetensors", "npy"), action="append", help="of model (default: onnx); repeatable"
    )
    export.add_argument("--model", choices=EXPORTED, help="of model (default: distilled, or student)")
    export.add_argument("--count", type=int, metavar="N", help="of model: length of the lists (default: 100)")
    export.add_argument(
        "--show-seen",
        action=argparse.BooleanOptionalAction,
        help="of model: also list items of the history (default: as recommend)",
    )
    export.add_argument("--user", metavar="ID", help="of adapter: raw id of the held-out user whose mixture is merged")
    summary = "copy runs for TensorBoard, MLflow or Weights & Biases"
    details = "From the event files, so training waits for nothing. The same command goes on where it stopped."
    mirror = command("mirror", "mirror:mirror", MIRRORED, summary, details)
    mirror.add_argument(
        "--to",
        nargs=2,
        required=True,
        metavar=("TARGET", "DIR"),
        help="tensorboard, mlflow or wandb, and a folder (mlflow: or a tracking URI)",
    )
    mirror.add_argument("--follow", action="store_true", help="keep copying until the runs have ended")
    config = command("config", "config:show", SETTINGS, "list every setting: value, type, limits, meaning")
    config.add_argument("--yaml", action="store_true", help="print the resolved configuration")
    config.add_argument("--save", metavar="NAME", help="save these settings as a named experiment")
    command("bench", "bench:bench", SETTINGS, "measure the speed of each stage against the hardware limit")

    stage = commands.add_parser("stage", description="Execute a planned run (started by the supervisor).")
    stage.add_argument("folder", type=Path)
    stage.add_argument("--gate", type=int, help="descriptor of a socket: import first, begin when it says so")
    stage.set_defaults(function="stage:stage", positional="")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole program; returns the exit status."""
    make_printable()
    if arguments is None:  # a locale without UTF-8 decodes what a person typed to surrogates
        arguments = [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in sys.argv[1:]]
    top = parser()
    if any("\0" in argument for argument in arguments):  # no shell can pass one, a program can
        top.error("an argument holds a NUL character")
    options, rest = top.parse_known_args(arguments)
    unknown = [argument for argument in rest if argument.startswith("-")]
    if unknown:
        top.error(f"{options.command} has no option {unknown[0]}")
    if rest and options.positional:
        getattr(options, options.positional).extend(rest)  # positional arguments may follow options
    if "runs" in options and options.runs is None:
        options.runs = Path(os.environ.get("ENGINE_RUNS") or "runs")
    module, _, name = options.function.partition(":")
    try:
        if "runs" in options:
            require_folder(options.runs)
        status: int = getattr(importlib.import_module(f"engine.commands.{module}"), name)(options)
    except UserError as error:
        print(clean_lines(f"error: {error}"), file=sys.stderr)  # it may quote a file
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of stdout has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _completed_words() -> dict[str, list[str]]:
    from engine.commands.completion import words

    return words()


def _stage_list() -> str:
    width = max(map(len, STAGES))
    lines = [f"  {stage.name:<{width}}  {stage.help}" for stage in STAGES.values()]
    return "\n".join(["stages:", *lines, "", "Start with: engine run"])
