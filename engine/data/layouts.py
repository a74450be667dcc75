"""How the files of every format are called, and in which encodings they come. Standard library only."""

from dataclasses import dataclass

INTERACTIONS, CATALOGUE, ITEM_MAP, VALIDATION, TEST = "interactions", "catalogue", "item_map", "validation", "test"
PACKED = ("", ".gz", ".zst", ".xz", ".bz2")  # what may stand behind a file's name; the first that is there counts
TABLES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".tab", ".txt")


@dataclass(frozen=True)
class FileNames:
    """Usual file names of a format; ``{}`` stands for data.category, ``*`` for anything."""

    needed: dict[str, tuple[str, ...]]
    optional: dict[str, tuple[str, ...]]
    encodings: tuple[str, ...] = ("utf-8",)
    version: int = 1  # raise it when the same files are read as something else


BOTH = ("utf-8", "latin-1")
LAYOUTS = {  # in the order in which ``auto`` tries them
    "ml-100k": FileNames({INTERACTIONS: ("u.data",), CATALOGUE: ("u.item",)}, {}, BOTH),
    "pairs": FileNames(
        {INTERACTIONS: ("ml-1m.txt",)}, {CATALOGUE: ("movies.dat",), ITEM_MAP: ("sas_to_original_items.txt",)}, BOTH
    ),
    "ml-dat": FileNames({INTERACTIONS: ("ratings.dat",), CATALOGUE: ("movies.dat",)}, {}, BOTH),
    "ml-csv": FileNames({INTERACTIONS: ("ratings.csv",), CATALOGUE: ("movies.csv",)}, {}),
    "llara": FileNames(
        {
            INTERACTIONS: ("train_data.jsonl",),
            VALIDATION: ("Val_data.jsonl", "val_data.jsonl"),
            TEST: ("Test_data.jsonl", "test_data.jsonl"),
            CATALOGUE: ("id2name.txt", "u.item"),
        },
        {},
        BOTH,
    ),
    "sequences": FileNames(
        {INTERACTIONS: ("user_sequence.txt",)},
        {CATALOGUE: ("item_plain_text.txt", "item_generative_indexing_phase_0.txt")},
    ),
    "amazon-2014": FileNames(
        {INTERACTIONS: ("reviews_{}_5.json", "reviews_{}.json")}, {CATALOGUE: ("meta_{}.json",)}, BOTH
    ),
    "amazon-2018": FileNames({INTERACTIONS: ("{}_5.json", "{}.json")}, {CATALOGUE: ("meta_{}.json",)}),
    "amazon-2023": FileNames({INTERACTIONS: ("{}.jsonl",)}, {CATALOGUE: ("meta_{}.jsonl",)}),
    "recbole": FileNames({INTERACTIONS: ("*.inter",)}, {CATALOGUE: ("*.item",)}),
    "table": FileNames({INTERACTIONS: tuple(f"*{suffix}" for suffix in TABLES)}, {}),
}
