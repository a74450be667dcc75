"""Settings of the ``knowledge`` stage: which rows the teacher is asked about, and what is written down."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.settings import setting

CHOICES = ("all", "random", "uncertain", "disagreement")


@dataclass
class Knowledge:
    """One questioning of a teacher."""

    seed: int = setting("seed of the rows chosen at random", low=0, high=2**31 - 1)
    top: int = setting("items written down for each row", low=1)
    hide_seen: bool = setting("leave out items of the row's own history, which evaluation hides too")
    rows: str = setting(
        "training rows to ask about; uncertain: where the student's scores are most even; disagreement: where its "
        "first items differ most from those of like text",
        choices=CHOICES,
    )
    budget: float = setting("share of the training rows that are asked about, unless rows=all", above=0, high=1)
    targets: int = setting("rows of one user asked about in one prompt, as in the teacher's training", low=1)
    item_vectors: str = setting(
        "the vector of an item: key, what the teacher scores it by; text, the language model's own",
        choices=("key", "text"),
    )
    batch: int = setting("prompts read at once", low=1)
    shard: int = setting("prompts between two files that a stopped run goes on from", low=1)

    def check(self) -> Iterator[tuple[str, str]]:
        """What a single limit cannot say."""
        if self.rows == "all" and self.budget != 1.0:
            yield "budget", "must be 1.0, because knowledge.rows=all asks about every row"
