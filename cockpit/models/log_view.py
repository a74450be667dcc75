"""How the console of one run is shown: kept for each run while the cockpit is open."""

from dataclasses import dataclass, field

from cockpit.models.scroll import Scroll


@dataclass
class LogView:
    """``match``: index of the current line among the shown ones, -1 without one; ``left``: characters scrolled over."""

    scroll: Scroll = field(default_factory=Scroll)
    following: bool = True
    errors: bool = False
    search: str = ""
    match: int = -1
    left: int = 0
    to_error: bool = False  # once the console was read, go to its last error
