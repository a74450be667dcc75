"""The command itself: quick, honest about what it needs, and light."""

import subprocess
import sys
from pathlib import Path

import pytest

from cockpit.__main__ import main

HEAVY = ("torch", "transformers", "pandas", "hydra", "omegaconf", "plotext", "pytorch_lightning", "yaml", "psutil")


def test_a_start_loads_nothing_heavy():
    """In a process of its own: only there one sees what an import really loads."""
    code = f"import sys, cockpit.app, cockpit.__main__; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_and_version_load_no_textual():
    code = (
        "import sys\nfrom cockpit.__main__ import main\n"
        "main(['--version'])\nprint([n for n in ('textual', 'numpy', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and done.stdout.startswith("cockpit ")


def test_without_a_terminal_it_names_what_works(capsys):
    assert main([]) == 2
    assert "engine runs" in capsys.readouterr().err


def test_wrong_settings_end_it_with_the_remedy(capsys, tmp_path, monkeypatch):
    file = tmp_path / "s.toml"
    file.write_text('[keys]\nmrak = ["M"]\n')
    monkeypatch.setenv("COCKPIT_SETTINGS", str(file))
    assert main(["--settings"]) == 2
    error = capsys.readouterr().err
    assert "Did you mean mark?" in error and str(file) in error and "Traceback" not in error


def test_settings_can_be_checked_without_a_terminal(capsys):
    assert main(["--settings"]) == 0
    assert "the defaults are used" in capsys.readouterr().out


def test_an_unknown_option_is_refused():
    with pytest.raises(SystemExit) as error:
        main(["--rnus", "x"])
    assert error.value.code == 2


@pytest.mark.parametrize("words", [[], ["--print", "runs"]], ids=" ".join)
def test_a_file_is_no_folder_of_runs(words, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*words, "--runs", str(tmp_path / "file")]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_locale_without_utf_8_gets_a_screen_in_ascii(tmp_path):
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": "", "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-m", "cockpit", "--runs", str(tmp_path / "runs"), "--print", "runs", "--size", "80x24"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    text = done.stdout.decode("ascii")
    assert "+- welcome ---" in text and "\\u" not in text
    assert "There is no such folder: the first run makes it." in text
