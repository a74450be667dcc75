"""Settings of the ``knowledge`` stage: which rows the teacher is asked about, and what is written down."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config.settings import setting
from engine.config.settings.evaluate import SEEN
from engine.config.settings.teacher import AUTO
from engine.stages import FLOOR, TEACHER, UNTRAINED

TITLE_VECTORS = "titles"  # of the titles' trigrams, without a language model
VECTORS = ("key", "text", TITLE_VECTORS)
MOST_CHOSEN = 11  # models whose weights can be chosen: halves of more are too many mixtures to compare
CHOICES = ("all", "random", "uncertain", "disagreement")


@dataclass
class KnowledgeSettings:
    """One questioning of a teacher."""

    files: str | None = setting("a folder with DLLM2Rec's three files, read instead of asking a teacher; null: ask")
    models: list[str] = setting(
        "whose scores are the knowledge, as the mean of their log-softmax: teacher; student, this experiment's own "
        "baseline; transitions, titles or transitions+titles, which need no training; ids of finished student or "
        "distill runs made from the same data"
    )
    weights: list[float] | None = setting("weight of each of these models in that mean; null: equal", low=0)
    choose_weights: bool = setting(
        "choose these weights on validation rows, by the NDCG@10 of all divisions in equal steps, tenths for two or "
        "three models"
    )
    spread: bool = setting("files: bring each row's distances to 0..1, as raw distances say nothing about confidence")
    seed: int = setting("seed of the rows chosen at random", low=0, high=2**31 - 1)
    top: int = setting("items written down for each row", low=1)
    hide_seen: str = setting(
        "leave out items of the row's own history; auto: where evaluate.hide_seen=auto leaves them out", choices=SEEN
    )
    query_selection: str = setting(
        "training rows to ask about, chosen by whole prompts, which are what asking costs; uncertain: where the "
        "student's scores are most even; disagreement: where its first items differ most from those of like text",
        choices=CHOICES,
    )
    budget: float = setting(
        "share of the rows, last positions included, that are asked about, unless query_selection=all", above=0, high=1
    )
    last_position: bool = setting(
        "also ask what follows each user's last training event, whose next item no training row holds"
    )
    refit: bool = setting(
        "also rank training and validation events, with counts of both, for the second training of a distilled student "
        "(student.refit); not with a teacher, whose rankings of training rows serve that one too"
    )
    targets: int = setting("rows of one user asked about in one prompt, as in the teacher's training", low=1)
    item_vectors: str = setting(
        "the vector of an item: text, the language model's own; titles, principal axes of the titles' trigrams; key, "
        "what the first trained one of knowledge.models scores it by, or titles where none is trained; or the name of "
        "another one of these models"
    )
    gammas: list[float] = setting(
        "generate teachers: popular items come nearer by (1 + share)^-gamma; validation chooses one of these", low=0
    )
    batch: int = setting("prompts read at once", low=1)
    batch_tokens: int | str | None = setting(
        "tokens read at once, in place of a number of prompts; auto: the most that a GPU's memory holds, found by "
        "trying; null: batch prompts",
        low=64,
        words=AUTO,
    )
    shard: int = setting("prompts between two files that a stopped run goes on from", low=1)

    @property
    def untrained(self) -> list[str]:
        """The models without training: no product of vectors gives their scores."""
        return [name for name in self.models if name in UNTRAINED]

    @property
    def trained(self) -> list[str]:
        """The other models, the teacher among them."""
        return [name for name in self.models if name not in UNTRAINED]

    @property
    def vectors_of(self) -> str:
        """The model whose item vectors are written, ``text`` or ``titles``."""
        return next(iter(self.trained), TITLE_VECTORS) if self.item_vectors == "key" else self.item_vectors

    @property
    def of_texts(self) -> bool:
        """Whether item vectors follow from texts alone, so that they say something of items that nobody trained."""
        return self.files is not None or self.vectors_of in ("text", TITLE_VECTORS, TEACHER)

    def check(self) -> Iterator[tuple[str, str]]:
        """Conditions between settings."""
        if self.query_selection == "all" and self.budget != 1.0:
            yield "budget", "must be 1.0, because knowledge.query_selection=all asks about every row"
        if self.files is not None and self.query_selection != "all":
            yield "query_selection", "must be all, because knowledge.files holds the answers already"
        if not self.models or len(set(self.models)) < len(self.models):
            yield "models", "must name at least one model, and none twice"
        if self.files is not None and self.models != [TEACHER]:
            yield "models", f"must be [{TEACHER}], because knowledge.files holds the answers already"
        if self.weights is not None and (len(self.weights) != len(self.models) or not sum(self.weights)):
            yield "weights", f"must be one number for each of knowledge.models ({len(self.models)}), not all of them 0"
        if self.choose_weights and self.weights is not None:
            yield "weights", "must be null, because knowledge.choose_weights=true chooses them"
        if self.choose_weights and not 1 < len(self.models) <= MOST_CHOSEN:
            yield "choose_weights", f"must be false unless knowledge.models names 2 to {MOST_CHOSEN} models"
        if self.item_vectors not in (*VECTORS, *self.trained):
            yield "item_vectors", f"must be {', '.join(VECTORS)} or one of knowledge.models that is trained"
        if FLOOR in self.models:
            yield "models", f"must not name {FLOOR}, which is the same for every row"
        if TEACHER not in self.models and self.query_selection != "all":
            yield "query_selection", "must be all where knowledge.models has no teacher: the others rank every row"
        if not self.gammas:
            yield "gammas", "must hold at least one number, such as 0.0: no weight of popularity"
