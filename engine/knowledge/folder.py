"""Names of DLLM2Rec's files in a folder (REFERENCE d.2). Standard library only, as the planner uses it too."""

from pathlib import Path

from engine.errors import DataError

VECTORS, RANKS, DISTANCES = "all_embeddings.pt", "myrank_train.txt", "confidence_train.txt"
ROWS = "train_data.csv"  # the training row of each line; may be missing
NAMES = "id2name.txt"  # titles of the ids; written for people, not read


def present(path: str) -> list[Path]:
    """The files that will be read. DataError names those that are missing."""
    folder = Path(path).expanduser()
    missing = [name for name in (VECTORS, RANKS, DISTANCES) if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"there is no {' and no '.join(missing)}",
            location=str(folder),
            remedy="knowledge.files=DIR names a folder with DLLM2Rec's three files; engine export ID --to DIR writes "
            "them, and for a data run the rows that they rank.",
        )
    return [folder / name for name in (VECTORS, RANKS, DISTANCES, ROWS) if (folder / name).is_file()]
