"""The files of a model that a person names: looked for before anything runs, and hashed for the fingerprint.

No torch: the planner imports it.
"""

import importlib.util
from importlib.resources import files
from pathlib import Path

from engine.errors import UserError
from engine.runs.files import refused

PATTERNS = ("*.json", "*.safetensors", "*.model", "*.txt")  # of a model on the hub
OLD_WEIGHTS = "*.bin"  # in folders; never fetched
CONFIGURATION = "config.json"  # what every folder with a model holds
MAGIC = b"GGUF"
PACKAGE = "package:"  # before the name of a Python package that holds a sentence encoder
ARCHIVE = "model.zip"  # the encoder in that package
ALTERNATIVES = (
    "Without it: backbone=scratch pre-trains a small one here; backbone=path backbone.name=DIR takes a folder."
)
ENCODERS = (
    "backbone.text_model is a folder with weights, configuration and tokenizer, owner/name of the hub, or "
    "package:NAME; null takes the language model itself."
)


def of_language_model(source: Path) -> list[Path]:
    """A GGUF file, or the files of a folder as transformers saves it. UserError where there is neither."""
    if not source.exists():
        raise UserError("there is no such file or folder", location=str(source), remedy=ALTERNATIVES)
    if source.is_dir():
        single = sorted(source.glob("*.gguf"))
        remedy = f"The file in it is read with backbone=gguf backbone.name={single[0]}" if single else ALTERNATIVES
        return _of_folder(source, "language model", remedy)
    try:
        with source.open("rb") as opened:
            magic = opened.read(len(MAGIC))
    except OSError as error:
        raise refused(error, source) from error
    if magic != MAGIC:
        raise UserError(
            "this is no GGUF file",
            location=str(source),
            remedy="Name a file that ends in .gguf; a folder with weights is read with backbone=path.",
        )
    return [source]


def of_sentence_encoder(name: str) -> list[Path]:
    """The files of a folder or a package; none of a model of the hub. UserError where they are not there."""
    if name.startswith(PACKAGE):
        return [_of_package(name.removeprefix(PACKAGE))]
    folder = encoder_folder(name)
    return [] if folder is None else _of_folder(folder, "sentence encoder", ENCODERS)


def encoder_folder(name: str) -> Path | None:
    """The folder that ``name`` is the path of, or None: a model of the hub. UserError where there is no such folder."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError("this is a file, not the folder of a sentence encoder", location=str(folder), remedy=ENCODERS)
    if folder.is_absolute() or name.startswith(".") or len(folder.parts) > 2:  # of the hub: owner/name
        raise UserError("there is no such folder", location=str(folder), remedy=ENCODERS)
    return None


def _of_folder(folder: Path, what: str, remedy: str) -> list[Path]:
    """The files that reading the model may open, of folders below the configuration (1_Pooling/config.json)."""
    if not (folder / CONFIGURATION).is_file():
        cause = f"this folder holds no {what}: it has no {CONFIGURATION}"
        raise UserError(cause, location=str(folder), remedy=remedy)
    patterns = (*PATTERNS, OLD_WEIGHTS, f"*/{CONFIGURATION}")
    return sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())


def _of_package(package: str) -> Path:
    if importlib.util.find_spec(package) is None:
        raise UserError(
            f"the Python package {package} is not installed",
            location="backbone.text_model",
            remedy="Install it, or name a folder or a model of the hub.",
        )
    archive = Path(str(files(package).joinpath(ARCHIVE)))
    if not archive.is_file():
        raise UserError(
            f"the Python package {package} holds no sentence encoder ({ARCHIVE})",
            location="backbone.text_model",
            remedy="Name a folder or a model of the hub.",
        )
    return archive
