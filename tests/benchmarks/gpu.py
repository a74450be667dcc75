"""What the pipeline does on one GPU: ``python tests/benchmarks/gpu.py [--only student,distill] [--json]``.

At most four minutes, no network, generated data, only what the package needs: a section that would begin after
``--seconds`` is left out and named. Each section gives rows of name, value and unit; one that fails prints its
traceback and leaves the others alone. Without a CUDA device the same sections count
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
from gpu_stages import stages
from gpu_student import compiled, distill, first_step, student, training
from gpu_teacher import compiled as compiled_teacher
from gpu_teacher import knowledge, layer, teacher

Section = Callable[[bool], Iterator[Row]]  # receives whether there is a CUDA device

SECTIONS: dict[str, Section] = {  # what has no figure in RESULTS.md yet comes first
    "first-step": first_step,
    "stages": stages,
    "student": student,
    "training": training,
    "distill": distill,
    "compiled": compiled,
    "layer": layer,
    "teacher": teacher,
    "compiled-teacher": compiled_teacher,
    "knowledge": knowledge,
}


def shown(row: Row) -> str:
    """One line of the table."""
    value = f"{row.value:,.3g}" if abs(row.value) < 1000 else f"{row.value:,.0f}"
    return f"{row.name:<64} {value:>12} {row.unit}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}; comma-separated")
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options.add_argument("--seconds", type=float, default=200.0, help="after which no section begins; 200")
    given = options.parse_args()
    unknown = set(names := given.only.split(",")) - set(SECTIONS)
    if unknown:
        options.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(SECTIONS)}")
    cuda = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if cuda else "processor"
    found: dict[str, list[Row]] = {}
    failed, left_out, start = list[str](), list[str](), time.monotonic()
    if not given.json:
        print(f"{device}, torch {torch.__version__}")
    for name in names:
        if time.monotonic() - start > given.seconds:
            left_out.append(name)
            continue
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
        about = {"device": device, "torch": torch.__version__, "failed": failed, "left_out": left_out}
        print(json.dumps(about | {"sections": rows}, indent=1))
    elif left_out:
        print(f"left out after {given.seconds:.0f} s: --only {','.join(left_out)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
