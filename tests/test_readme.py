"""Every snippet of the README runs as it stands, and its tables are those of the committed result files."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The Hub's address is the test server's in this process; a snippet needs none.
OFFLINE = {k: v for k, v in os.environ.items() if not k.startswith("PHONOLINGUISTIC_")} | {"HF_HUB_OFFLINE": "1"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def run(command: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=OFFLINE, timeout=240, **options)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_snippet(number, release, tmp_path):
    result = run([sys.executable, "-c", blocks("python")[number]])
    assert result.returncode == 0, result.stderr[-2000:]
    assert re.search(r"anger|joy|neutral|sadness|surprise|fear|disgust", result.stdout), result.stdout


COMMANDS = [line for b in blocks("sh") for line in b.splitlines() if "-m phonolinguistic" in line]


@pytest.mark.parametrize("line", COMMANDS)
def test_command_line(line, release, tmp_path):
    words = shlex.split(line.replace("results.parquet", str(tmp_path / "results.parquet")))
    result = run([sys.executable, *words[1:]])
    assert result.returncode == 0, result.stderr[-2000:]


def test_two_set_up_commands_install_what_ci_installs():
    commands = [b.strip() for b in blocks("sh") if "pip install" in b]
    assert len(commands) == 2
    assert commands[0].endswith("pip install -r requirements.txt && python app.py")
    assert commands[1].endswith("pip install -r requirements-dev.txt && python -m pytest")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install --quiet -r requirements-dev.txt" in ci and "python -m pytest" in ci


def test_tables_are_those_of_the_result_files(release):
    result = run([sys.executable, "-m", "docs.tables", "--check"])
    assert result.returncode == 0, result.stderr


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
