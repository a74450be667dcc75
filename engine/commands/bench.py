"""``engine bench``: the speed of each stage, against the time of its matrix products alone."""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from engine.commands.overrides import stage_and_settings, with_source
from engine.report.numbers import NOTHING, fixed
from engine.report.tables import align


def bench(options: argparse.Namespace) -> int:
    """Measure one stage, or all of them, with few steps in a temporary folder."""
    import torch

    from engine import config as configuration
    from engine.experiments import bench as measuring
    from engine.training import fit

    named = any("=" not in override for override in options.overrides)
    stage, overrides = stage_and_settings(options.overrides)
    config = configuration.load(measuring.shortened(with_source(overrides)))
    device = fit.device(config.trainer)
    if device == "cpu":
        torch.set_num_threads(1)  # CPU time and floor are those of one core
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = list(
            measuring.speeds(
                stage if named else None, config, Path(folder), device, lambda name: print(name, "…", file=sys.stderr)
            )
        )
    if options.json:
        print(json.dumps([asdict(speed) | {"rate": speed.rate, "share": speed.share} for speed in found]))
        return 0
    rows = [
        [
            speed.stage,
            f"{speed.rate:,.0f} {speed.unit}/s",
            f"{speed.seconds:.2f}",
            fixed(speed.floor, 2),
            NOTHING if speed.share is None else f"{speed.share:.0%}".replace("%", " %"),
        ]
        for speed in found
    ]
    kind = "CPU s" if device == "cpu" else "s"
    print("\n".join(align(["stage", "speed", kind, "floor", "of floor"], rows)))
    return 0
