"""The memory limit of a control group, of both versions of the kernel's interface."""

from pathlib import Path

from engine.jobs.cgroup import memory_in_use, memory_limit


def put(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_smallest_limit_of_the_group_and_of_those_above_it_counts(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/slice/job\n")
    put(tmp_path, memory__max="max")
    put(tmp_path / "slice", memory__max="4000\n", memory__current="3000\n", memory__stat="inactive_file 500\n")
    put(tmp_path / "slice" / "job", memory__max="9000\n")
    assert memory_limit(tmp_path / "own", tmp_path) == (2, 4000, tmp_path / "slice")
    assert memory_in_use(2, tmp_path / "slice") == 2500  # the kernel can drop the cached files


def test_a_limit_of_version_1_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("4:cpu,memory:/job\n0::/\n")
    put(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712\n")
    group = tmp_path / "memory" / "job"
    put(group, memory__limit_in_bytes="8000\n", memory__usage_in_bytes="6000\n")
    assert memory_limit(tmp_path / "own", tmp_path) == (1, 8000, group)
    assert memory_in_use(1, group) == 6000


def test_without_a_limit_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    put(tmp_path, memory__max="max\n")
    assert memory_limit(tmp_path / "own", tmp_path) is None
    assert memory_limit(tmp_path / "missing", tmp_path) is None
    assert memory_in_use(2, tmp_path) is None
