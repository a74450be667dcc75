"""Tables of a paper as Markdown, LaTeX (booktabs) and HTML: column groups, the best value bold, values like it marked.

Every text is escaped, so names from outside stay names.
"""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARK, CHECK = "†", "✓"  # not different from the best; a part that is on
PACKAGES = "% needs \\usepackage{booktabs} and \\usepackage{amssymb}"
_LATEX = {
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "''",  # \\textquotedbl needs another font encoding
    "±": "$\\pm$",
    "≤": "$\\leq$",
    "…": "\\ldots{}",
    MARK: "$^{\\dagger}$",
    CHECK: "$\\checkmark$",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~$])")


@dataclass(frozen=True)
class MarkupCell:
    """A value: ``best`` of its column, or ``alike``: not different from the best."""

    text: str
    best: bool = False
    alike: bool = False


@dataclass(frozen=True)
class MarkupTable:
    """Rows of leading texts (``stub``) and of cells below groups of columns."""

    label: str
    caption: str
    stub: Sequence[str]  # names of the leading columns
    groups: Sequence[tuple[str, Sequence[str]]]  # heading, columns
    rows: Sequence[tuple[Sequence[str], Sequence[MarkupCell]]]
    notes: Sequence[str]  # sentences below the table


def markdown(table: MarkupTable) -> str:
    """A table as GitHub shows it; a column is named with its group."""
    heads = [*table.stub, *(f"{group} {column}" for group, columns in table.groups for column in columns)]
    aligned = ["---"] * len(table.stub) + ["---:"] * (len(heads) - len(table.stub))
    lines = [_line(map(_plain_markdown, heads)), _line(aligned)]
    for leading, cells in table.rows:
        lines.append(_line([*map(_plain_markdown, leading), *map(_markdown_cell, cells)]))
    below = [_plain_markdown(note) for note in (table.caption, *table.notes)]
    return "\n\n".join(["\n".join(lines), *below])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _markdown_cell(cell: MarkupCell) -> str:
    text = _plain_markdown(cell.text)
    return f"**{text}**" if cell.best else text + MARK * cell.alike


def latex(table: MarkupTable) -> str:
    """A ``table`` environment for a paper, with the rules of booktabs."""
    first = len(table.stub) + 1
    spans, rules = [], []
    for name, columns in table.groups:
        spans.append(f"\\multicolumn{{{len(columns)}}}{{c}}{{{_plain_latex(name)}}}")
        rules.append(f"\\cmidrule(lr){{{first}-{first + len(columns) - 1}}}")
        first += len(columns)
    heads = [*table.stub, *(column for _, columns in table.groups for column in columns)]
    rows = [[*map(_plain_latex, leading), *map(_latex_cell, cells)] for leading, cells in table.rows]
    lines = [
        PACKAGES,
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_plain_latex(table.caption)}}}",
        f"\\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', table.label).strip('-')}}}",
        f"\\begin{{tabular}}{{{'l' * len(table.stub)}{'r' * (first - 1 - len(table.stub))}}}",
        "\\toprule",
        " & ".join([*([""] * len(table.stub)), *spans]).strip() + " \\\\",
        " ".join(rules),
        " & ".join(map(_plain_latex, heads)) + " \\\\",
        "\\midrule",
        *(" & ".join(row) + " \\\\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        *(f"\\par\\smallskip\\footnotesize {_plain_latex(note)}" for note in table.notes),
        "\\end{table}",
    ]
    return "\n".join(lines)


def _plain_latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _latex_cell(cell: MarkupCell) -> str:
    text = _plain_latex(cell.text)
    return f"\\textbf{{{text}}}" if cell.best else text + _LATEX[MARK] * cell.alike


def page(table: MarkupTable) -> str:
    """The table as an HTML element."""
    spans = "".join(f'<th colspan="{len(columns)}">{html.escape(name)}</th>' for name, columns in table.groups)
    stub = "".join(f'<th rowspan="2">{html.escape(name)}</th>' for name in table.stub)
    heads = "".join(f"<th>{html.escape(column)}</th>" for _, columns in table.groups for column in columns)
    lines = [
        "<table>",
        f"<caption>{html.escape(table.caption)}</caption>",
        f"<thead><tr>{stub}{spans}</tr><tr>{heads}</tr></thead>",
        "<tbody>",
        *(
            "<tr>"
            + "".join(f"<th>{html.escape(text)}</th>" for text in leading)
            + "".join(f"<td>{_html_cell(cell)}</td>" for cell in cells)
            + "</tr>"
            for leading, cells in table.rows
        ),
        "</tbody>",
        "</table>",
        *(f"<p>{html.escape(note)}</p>" for note in table.notes),
    ]
    return "\n".join(lines)


def _html_cell(cell: MarkupCell) -> str:
    text = html.escape(cell.text)
    return f"<strong>{text}</strong>" if cell.best else text + MARK * cell.alike
