"""Settings of the health checks of a running stage (``engine.training.health``). They never change its results."""

from dataclasses import dataclass

from engine.config.settings import setting


@dataclass
class HealthSettings:
    """Limits beyond which a reported value is a fault."""

    reports: int = setting("reports in a row that must agree before anything but a NaN is called a fault", low=1)
    window: int = setting("sound reports that a group's, or the speed's, own past is made of", low=2)
    explode: float = setting("a group's gradient explodes at this multiple of its own past", above=1)
    vanish: float = setting("a group's gradient vanishes at this share of its own past", above=0, below=1)
    entropy: float = setting("a gate has collapsed below this share of the largest entropy", low=0, below=1)
    load: float = setting("an expert is dead below this share of an even load", low=0, below=1)
    stale: int = setting("evaluations without a new best before that is reported", low=1)
    gpu_idle: float = setting("a GPU is idle below this share of the time in which it computes", low=0, below=1)
    memory: float = setting("memory is near its limit above this share of it", above=0, high=1)
    slow: float = setting("training has become slow below this share of its own past speed", low=0, below=1)
