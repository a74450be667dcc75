"""How the files of every format are called, and in which encodings they come. Standard library only."""

from dataclasses import dataclass

INTERACTIONS, CATALOGUE, ITEM_MAP, VALIDATION, TEST = "interactions", "catalogue", "item_map", "validation", "test"


@dataclass(frozen=True)
class Layout:
    """Usual file names of a format; ``{}`` stands for data.category, ``*`` for anything."""

    needed: dict[str, tuple[str, ...]]
    optional: dict[str, tuple[str, ...]]
    encodings: tuple[str, ...] = ("utf-8",)
    version: int = 1  # raise it when the same files are read as something else


BOTH = ("utf-8", "latin-1")
LAYOUTS = {  # in the order in which ``auto`` tries them
    "ml-100k": Layout({INTERACTIONS: ("u.data",), CATALOGUE: ("u.item",)}, {}, BOTH),
    "pairs": Layout(
        {INTERACTIONS: ("ml-1m.txt",)}, {CATALOGUE: ("movies.dat",), ITEM_MAP: ("sas_to_original_items.txt",)}, BOTH
    ),
    "ml-dat": Layout({INTERACTIONS: ("ratings.dat",), CATALOGUE: ("movies.dat",)}, {}, BOTH),
    "ml-csv": Layout({INTERACTIONS: ("ratings.csv",), CATALOGUE: ("movies.csv",)}, {}),
    "llara": Layout(
        {
            INTERACTIONS: ("train_data.jsonl",),
            VALIDATION: ("Val_data.jsonl", "val_data.jsonl"),
            TEST: ("Test_data.jsonl", "test_data.jsonl"),
            CATALOGUE: ("id2name.txt", "u.item"),
        },
        {},
        BOTH,
    ),
    "sequences": Layout(
        {INTERACTIONS: ("user_sequence.txt",)},
        {CATALOGUE: ("item_plain_text.txt", "item_generative_indexing_phase_0.txt")},
    ),
    "amazon-2014": Layout(
        {INTERACTIONS: ("reviews_{}_5.json", "reviews_{}.json")}, {CATALOGUE: ("meta_{}.json",)}, BOTH
    ),
    "amazon-2018": Layout({INTERACTIONS: ("{}_5.json", "{}.json")}, {CATALOGUE: ("meta_{}.json",)}),
    "amazon-2023": Layout({INTERACTIONS: ("{}.jsonl",)}, {CATALOGUE: ("meta_{}.jsonl",)}),
    "recbole": Layout({INTERACTIONS: ("*.inter",)}, {CATALOGUE: ("*.item",)}),
    "table": Layout({INTERACTIONS: ("*.csv", "*.tsv", "*.parquet")}, {}),
}
