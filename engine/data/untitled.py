"""Items without a title: how many there are, and what a person can do about it."""

from pathlib import Path

import pyarrow as pa

from engine.config.settings.data import DataSettings
from engine.data.interactions import Interactions
from engine.data.layouts import CATALOGUE, LAYOUTS
from engine.data.sources import Sources, listed
from engine.data.titles import shown
from engine.runs.text import clean

MANY = 0.05  # share of items without a title that is worth a warning


def untitled(raw: list[str], titles: list[str]) -> int:
    """How many items are called by their raw id."""
    return sum(shown("", name) == title for name, title in zip(raw, titles, strict=True))


def warning(
    settings: DataSettings, root: Path, sources: Sources, interactions: Interactions, items: pa.Table
) -> str:  # '' where few lack one
    """That many items have no title, and where titles could come from."""
    raw, titles = items["raw"].to_pylist(), items["title"].to_pylist()
    count = untitled(raw, titles)
    if count <= MANY * len(items):
        return ""
    first = next(name for name, title in zip(raw, titles, strict=True) if shown("", name) == title)
    text = f"{count:,} of {len(items):,} items have no title and are called by their id: 'item {clean(first, 60)}'"
    catalogue = interactions.catalogue
    if CATALOGUE in sources.parts and catalogue is not None and len(catalogue.raw):
        return f"{text}. {sources.parts[CATALOGUE]} has others, for example '{clean(catalogue.raw[0].as_py(), 60)}'"
    if catalogue is not None:
        return f"{text}. The column data.columns.title={settings.columns and settings.columns.title} is empty there"
    usual = LAYOUTS[sources.format].optional.get(CATALOGUE, ())
    lacking = f", because {' or '.join(usual)} is missing" if usual and settings.catalogue is None else ""
    column = ", or data.columns.title=COLUMN if the interactions have one" if settings.format == "table" else ""
    return f"{text}{lacking}. There is: {listed(root)}. Name the file with titles, data.catalogue=FILE{column}"
