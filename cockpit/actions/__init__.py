"""What can be done from more than one screen: ``do_<action>``, ``why_not_<action>`` by the names of the key table."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cockpit.actions import annotate, charts, control, export, navigate

if TYPE_CHECKING:
    from cockpit.context import Context

PARTS = (navigate, charts, control, annotate, export)


def find(action: str) -> Callable[["Context"], None]:
    """What an action does that the screen on top leaves to all: ``show_<screen>`` needs no function of its own."""
    found: Callable[[Context], None] | None = _find(f"do_{action}")
    screen = action.removeprefix("show_")
    if found is None and screen != action:
        return lambda context: context.show(screen)
    if found is None:
        raise KeyError(action)
    return found


def why_not(action: str, context: "Context") -> str:
    """Why an action is impossible now; empty when it is not."""
    found: Callable[[Context], str] | None = _find(f"why_not_{action}")
    return found(context) if found else ""


def _find(name: str) -> Any:
    return next((getattr(part, name) for part in PARTS if hasattr(part, name)), None)
