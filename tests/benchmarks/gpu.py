"""What the pipeline does on one GPU: ``python tests/benchmarks/gpu.py [--only student,distill] [--json]``.

At most four minutes, no network, generated data, only what the package needs. Each section gives rows of name, value
and unit; one that fails prints its traceback and leaves the others alone. Without a CUDA device the same sections count
what one step sends to the device (dispatches, and those among them that start a kernel) instead of timing it.
Exits with 1 when a section failed.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator

import torch
from gpu_counting import Row
from gpu_student import compiled, distill, first_step, student, training
from gpu_teacher import compiled as compiled_teacher
from gpu_teacher import knowledge, layer, teacher

Section = Callable[[bool], Iterator[Row]]  # receives whether there is a CUDA device

SECTIONS: dict[str, Section] = {
    "student": student,
    "training": training,
    "distill": distill,
    "compiled": compiled,
    "layer": layer,
    "teacher": teacher,
    "compiled-teacher": compiled_teacher,
    "knowledge": knowledge,
    "first-step": first_step,
}


def shown(row: Row) -> str:
    """One line of the table."""
    value = f"{row.value:,.3g}" if abs(row.value) < 1000 else f"{row.value:,.0f}"
    return f"{row.name:<64} {value:>12} {row.unit}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; comma-separated")
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    given = options.parse_args()
    unknown = set(names := given.only.split(",")) - set(SECTIONS)
    if unknown:
        options.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(SECTIONS)}")
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else "processor"
    found: dict[str, list[Row]] = {}
    failed: list[str] = []
    if not given.json:
        print(f"{device}, torch {torch.__version__}")
    for name in names:
        begin, found[name] = time.monotonic(), []
        try:
            for row in SECTIONS[name](cuda):
                found[name].append(row)
                if not given.json:
                    print(f"{name:<11} {shown(row)}", flush=True)
        except Exception:  # the other sections are worth their time
            failed.append(name)
            traceback.print_exc()
        found[name].append(Row("seconds of this section", time.monotonic() - begin, "s"))
        if cuda:
            torch.cuda.empty_cache()
    if given.json:
        rows = {name: [row._asdict() for row in rows] for name, rows in found.items()}
        print(json.dumps({"device": device, "torch": torch.__version__, "failed": failed, "sections": rows}, indent=1))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
