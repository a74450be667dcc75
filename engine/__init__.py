"""For notebooks: ``engine.open(runs)`` reads runs as pandas DataFrames, ``engine.run(stage, settings)`` starts some.

``import engine`` loads neither: both are found when they are first used (``engine/notebook``).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing, which would be half of the time
    from engine.notebook.frames import open_runs
    from engine.notebook.start import run as run

    open = open_runs

_HOMES = {"open": ("engine.notebook.frames", "open_runs"), "run": ("engine.notebook.start", "run")}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    from importlib import import_module

    module, function = _HOMES[name]
    found: object = getattr(import_module(module), function)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
