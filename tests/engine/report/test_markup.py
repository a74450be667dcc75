"""Tables of a paper: whatever the names hold, the markup is whole and the names can be read."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report.markup import _LATEX, CHECK, MARK, MarkupCell, MarkupTable, latex, markdown, page

SIGNS = "abz 09.\\{}$&#_%~^<>|±≤…é'*[]`-" + MARK + CHECK
texts = st.text(SIGNS, min_size=1, max_size=12).map(str.strip).filter(bool)
MODELS = MarkupTable(
    "models",
    "Models on toys & games, 50 % of demo_1.",
    ["setting", "model"],
    [("demo_1", ["ndcg@10", "hr@10", "train s"]), ("toys & games", ["ndcg@10", "hr@10", "train s"])],
    [
        (["a=1 {x}", "student"], [MarkupCell("0.1234 ±0.0012", alike=True)] * 6),
        (["~^\\<>|", 'dis"tilled'], [MarkupCell("0.2234 ±0.0012", best=True)] * 6),
        ([CHECK, "teacher"], [MarkupCell("-")] * 6),
    ],
    ["Mean ± standard deviation.", "†: not different ($p$ ≤ .05) …"],
)


@st.composite
def tables(draw: st.DrawFn) -> MarkupTable:
    stub = draw(st.lists(texts, min_size=1, max_size=3))
    groups = draw(st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=1, max_size=3))
    width = sum(len(columns) for _, columns in groups)
    cell = st.builds(MarkupCell, texts, st.booleans(), st.booleans())
    row = st.tuples(
        st.lists(texts, min_size=len(stub), max_size=len(stub)), st.lists(cell, min_size=width, max_size=width)
    )
    rows = draw(st.lists(row, min_size=1, max_size=3))
    return MarkupTable(draw(texts), draw(texts), stub, groups, rows, draw(st.lists(texts, max_size=2)))


def readable(escaped: str) -> str:
    """What LaTeX prints for an escaped text."""
    back = {code: sign for sign, code in _LATEX.items() if sign != '"'}
    pattern = "|".join(map(re.escape, sorted(back, key=len, reverse=True)))
    return re.sub(pattern, lambda found: back[found[0]], escaped)


def braces_match(text: str) -> bool:
    depth = 0
    for sign in re.sub(r"\\[{}\\]", "", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0


def shown(cell: MarkupCell) -> str:
    return cell.text if cell.best else cell.text + MARK * cell.alike


@given(tables())
def test_latex_is_balanced_and_every_row_has_its_columns(table: MarkupTable) -> None:
    code = latex(table)
    assert all(map(braces_match, code.splitlines()))
    begun = re.findall(r"^\\(begin|end)\{(\w+)\}", code, re.MULTILINE)
    assert begun == [("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table")]
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", code)
    width = len(table.stub) + sum(len(group) for _, group in table.groups)
    assert columns == "l" * len(table.stub) + "r" * (width - len(table.stub))
    body = code.split("\\toprule\n")[1].split("\n\\bottomrule")[0].splitlines()
    spans, rules, heads, line, *rows = body
    assert line == "\\midrule" and len(rows) == len(table.rows)
    assert len(re.findall(r"(?<!\\)&", spans)) == len(table.stub) + len(table.groups) - 1
    assert rules.count("\\cmidrule") == len(table.groups) and rules.endswith(f"-{width}}}")
    expected = [
        [*table.stub, *(column for _, group in table.groups for column in group)],
        *([*leading, *map(shown, cells)] for leading, cells in table.rows),
    ]
    for printed, wanted in zip([heads, *rows], expected, strict=True):
        cells = re.split(r"(?<!\\) & ", printed.removesuffix(" \\\\"))
        assert len(cells) == width
        plain = [re.sub(r"^\\textbf\{(.*)\}$", r"\1", cell) for cell in cells]
        assert list(map(readable, plain)) == wanted
        assert not [cell for cell in cells if re.search(r"[%#_&~]", re.sub(r"\\[{}$&#_%]", "", cell))]


@given(tables())
def test_html_is_well_formed_and_says_what_the_table_says(table: MarkupTable) -> None:
    tree = ElementTree.fromstring(f"<body>{page(table)}</body>")
    rows = [["".join(cell.itertext()) for cell in row] for row in tree.findall(".//tbody/tr")]
    assert rows == [[*leading, *map(shown, cells)] for leading, cells in table.rows]
    assert [one.get("colspan") for one in tree.findall(".//thead/tr[1]/th[@colspan]")] == [
        str(len(group)) for _, group in table.groups
    ]
    assert len(tree.findall(".//strong")) == sum(cell.best for _, cells in table.rows for cell in cells)


@given(tables())
def test_markdown_has_as_many_cells_in_every_line(table: MarkupTable) -> None:
    grid = markdown(table).split("\n\n")[0].splitlines()
    width = len(table.stub) + sum(len(group) for _, group in table.groups)
    bars = [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in grid]
    assert bars == [width + 1] * (len(table.rows) + 2)


def test_the_best_is_bold_and_what_is_like_it_has_a_dagger() -> None:
    assert "\\textbf{0.2234 $\\pm$0.0012}" in latex(MODELS) and "0.1234 $\\pm$0.0012$^{\\dagger}$" in latex(MODELS)
    assert "**0.2234 ±0.0012**" in markdown(MODELS) and "0.1234 ±0.0012†" in markdown(MODELS)
    assert "<strong>0.2234 ±0.0012</strong>" in page(MODELS) and "0.1234 ±0.0012†" in page(MODELS)
    assert "toys &amp; games" in page(MODELS) and "toys \\& games" in latex(MODELS)


PROGRAM = next((name for name in ("pdflatex", "lualatex", "xelatex", "tectonic") if shutil.which(name)), "")


@pytest.mark.skipif(not PROGRAM, reason="no LaTeX is installed")
def test_the_table_compiles(tmp_path: Path) -> None:
    packages = "\\usepackage{booktabs}\\usepackage{amssymb}"
    document = f"\\documentclass{{article}}{packages}\\begin{{document}}\n{latex(MODELS)}\n\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    options = [] if PROGRAM == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([PROGRAM, *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").is_file()
