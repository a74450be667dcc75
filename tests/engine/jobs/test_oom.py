from pathlib import Path

from engine.jobs.oom import oom_kills


def test_the_count_of_a_version_2_group_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/user.slice/job\n")
    group = tmp_path / "user.slice" / "job"
    group.mkdir(parents=True)
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n")
    assert oom_kills(tmp_path / "own", tmp_path) == 2


def test_the_count_of_a_version_1_group_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("9:name=systemd:/\n4:cpu,memory:/job\n0::/\n")
    group = tmp_path / "memory" / "job"
    group.mkdir(parents=True)
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    assert oom_kills(tmp_path / "own", tmp_path) == 5


def test_a_machine_without_counters_is_not_an_error(tmp_path: Path) -> None:
    assert oom_kills(tmp_path / "missing", tmp_path) is None
    (tmp_path / "own").write_text("0::/\n")
    assert oom_kills(tmp_path / "own", tmp_path) is None
    (tmp_path / "memory.events").write_text("oom_kill many\n")
    assert oom_kills(tmp_path / "own", tmp_path) is None
