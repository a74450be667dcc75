"""The command ``engine``: words to functions, errors to exit statuses. Heavy imports happen inside the commands.

Exit status: 0 done, 1 the work failed, 2 a person can fix it, 130 interrupted, 143 a stage that was asked to stop.
stdout is data, stderr is talk.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError
from engine.runs.text import clean_lines
from engine.stages import STAGES


def parser() -> argparse.ArgumentParser:
    """Every command with its options; a command names the module and function that do it."""
    top = argparse.ArgumentParser(
        prog="engine",
        description="Distil an LLM recommender into a small one, and know whether it worked.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_stage_list(),
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--runs", type=Path, default=None, metavar="DIR", help="folder of runs (ENGINE_RUNS, or runs/)")
    shared.add_argument("--json", action="store_true", help="print one JSON value for programs")

    def command(name: str, function: str, help: str, words: str = "", words_help: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help, parents=[shared])
        sub.set_defaults(function=function, words=[])
        if words:
            sub.add_argument("words", nargs="*", metavar=words, help=words_help)
        return sub

    settings = "STAGE and settings: group=choice, key=value"
    run = command("run", "run:run", "run a stage and whatever it needs", "[STAGE] [KEY=VALUE]", settings)
    run.add_argument("--experiment", metavar="NAME", help="label that groups runs")
    run.add_argument("--again", action="store_true", help="run the stage anew although a finished run could be reused")
    run.add_argument("--plan", action="store_true", help="say what would run, what is reused and why; run nothing")
    run.add_argument("--detach", action="store_true", help="start the runs and return")

    sweep = command(
        "sweep",
        "sweep:sweep",
        "every combination of key=a,b,c words, as one experiment",
        "[STAGE] [KEY=A,B,C]",
        settings,
    )
    sweep.add_argument("--experiment", metavar="NAME", help="label that groups the runs")
    sweep.add_argument("--again", action="store_true", help="run the stage anew although finished runs could be reused")
    sweep.add_argument("--plan", action="store_true", help="say what would run and what is shared; run nothing")
    sweep.add_argument("--detach", action="store_true", help="start the runs and return")

    tune = command(
        "tune",
        "tune:tune",
        "search settings by a figure on validation rows; resumable",
        "[STAGE] [KEY=SPACE]",
        "KEY=log:LOW..HIGH, KEY=LOW..HIGH, KEY=A,B are searched; other settings are fixed",
    )
    tune.add_argument(
        "--trials", type=int, default=20, metavar="N", help="how many trials the search shall have in all (20)"
    )
    tune.add_argument("--metric", metavar="NAME", help="what decides, on validation rows (val_ndcg@10)")
    tune.add_argument("--experiment", metavar="NAME", help="label of the search and its runs")

    command("runs", "inspect:runs", "list the runs", "[WORD]", "show only runs whose id, stage, state or label has it")
    command("show", "inspect:show", "facts, figures and the main curve of a run", "ID", "run ids, shortened, or last")
    logs = command("logs", "inspect:logs", "what a run printed", "ID", "run id, shortened, or last")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")

    stop = command("stop", "steer:stop", "ask runs to write a checkpoint and end", "ID", "run ids, shortened, or last")
    when = stop.add_mutually_exclusive_group()
    when.add_argument("--after-evaluation", action="store_true", help="let it reach its next evaluation first")
    when.add_argument("--kill", action="store_true", help="end it at once, without a checkpoint")
    resume = command("resume", "steer:resume", "go on with interrupted runs", "ID", "run ids, shortened, or last")
    resume.add_argument("--detach", action="store_true", help="start them and return")
    rm = command("rm", "steer:remove", "delete runs", "ID", "run ids, shortened, or last")
    rm.add_argument("--force", action="store_true", help="also runs that other runs were made from")

    verbs = "first, sooner, later, last, pause or unpause, and run ids"
    command("queue", "queue:queue", "what waits for what; change the order, pause", "[VERB] [ID]", verbs)

    results = command("results", "results:results", "one row per model and finished evaluation", "[WORD]", "as in runs")
    results.add_argument("--csv", type=Path, metavar="FILE", help="write the table to FILE (- for stdout)")
    results.add_argument("--seeds", action="store_true", help="mean and spread over seeds, and how the models differ")
    results.add_argument("--all", action="store_true", help="every protocol and split, not only the main one")

    compare = command(
        "compare",
        "compare:compare",
        "runs or groups of seeds side by side, with significance",
        "WORD",
        "run ids, name=ID,ID,... or labels of experiments; a single label is split into its settings",
    )
    compare.add_argument("--csv", type=Path, metavar="FILE", help="write the metric rows to FILE (- for stdout)")
    compare.add_argument("--curve", metavar="METRIC", help="also a metric over the steps, with the range over seeds")
    compare.add_argument("--all", action="store_true", help="also the settings that are equal")
    compare.add_argument("--stage", choices=STAGES, metavar="STAGE", help="which runs of the experiments (the last)")

    doctor = command(
        "doctor", "doctor:doctor", "is this experiment sound?", "[STAGE|ID] [KEY=VALUE]", f"{settings}; or a run's id"
    )
    doctor.add_argument("--only", action="append", metavar="WORD", help="checks whose name holds WORD; may be repeated")
    doctor.add_argument("--list", action="store_true", help="every check, what it catches and how that is proven")

    recommend = command(
        "recommend", "recommend:recommend", "baseline, teacher and distilled student side by side", "ID", "a run"
    )
    recommend.add_argument("--history", nargs="+", metavar="TITLE", help="titles or raw ids, oldest first")
    recommend.add_argument("--user", metavar="ID", help="a held-out user by raw id; its true next item is marked")
    recommend.add_argument("--no-live", action="store_true", help="do not load the teacher where it was not asked yet")
    recommend.add_argument("--file", type=Path, metavar="FILE", help="CSV of lines user,item: titles or raw ids")
    recommend.add_argument("--csv", type=Path, metavar="FILE", help="write user,rank,item,raw,title,score to FILE")
    recommend.add_argument("--vectors", type=Path, metavar="FILE", help="write user and item vectors as Parquet")
    recommend.add_argument("--count", type=int, default=10, metavar="N", help="recommendations per user (10)")
    recommend.add_argument("--show-seen", action="store_true", help="also what is in the history already")

    command("serve-local", "serve_local:serve", "answer recommendation requests over stdin and stdout", "ID", "a run")

    export = command(
        "export", "export:export", "training rows, or a knowledge run's answers, as DLLM2Rec's files", "ID"
    )
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder to write them into")

    config = command("config", "config:show", "every setting: value, type, limits, meaning", "[STAGE] [KEY=VALUE]")
    config.add_argument("--yaml", action="store_true", help="print the resolved configuration")
    config.add_argument("--save", metavar="NAME", help="keep these settings as an experiment of your own")

    command("bench", "bench:bench", "speed of each stage on this machine, against its floor", "[STAGE] [KEY=VALUE]")

    stage = commands.add_parser("stage", description="Do the work of a planned run (what the supervisor starts).")
    stage.add_argument("folder", type=Path)
    stage.set_defaults(function="stage:stage", words=[])
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """The whole program; returns the exit status."""
    top = parser()
    options, rest = top.parse_known_args(arguments)
    unknown = [word for word in rest if word.startswith("-")]
    if unknown:
        top.error(f"{options.command} has no option {unknown[0]}")
    options.words += rest  # words may stand after options
    if "runs" in options and options.runs is None:
        options.runs = Path(os.environ.get("ENGINE_RUNS") or "runs")
    module, _, name = options.function.partition(":")
    try:
        status: int = getattr(importlib.import_module(f"engine.commands.{module}"), name)(options)
    except UserError as error:
        print(clean_lines(f"error: {error}"), file=sys.stderr)  # it may quote a file
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has left: nothing to tell, and nobody to tell it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _stage_list() -> str:
    width = max(map(len, STAGES))
    lines = [
        f"  {stage.name:<{width}}  {stage.help}{'' if stage.built else ' (not built yet)'}" for stage in STAGES.values()
    ]
    return "\n".join(["stages:", *lines, "", "Start with: engine run"])
