"""How runs are started and how many may work at once."""

from dataclasses import dataclass

from engine.settings import setting


@dataclass
class Launcher:
    """Where the processes of a run are started."""

    kind: str = setting("what starts a run", choices=("local",))
    slots: int = setting("runs that may work at the same time on one device; the others wait in the queue", low=1)
    grace: float = setting("time a stage has to write its checkpoint when it is asked to stop", above=0, unit="s")
