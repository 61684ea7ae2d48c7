"""The Space: what is sent, its front matter and variables, and that its requirements are enough."""

import ast
import os
import pickle
import shutil
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
import yaml
from hub_session import CLIENT_ENVIRONMENT, OWNER_TOKEN
from huggingface_hub import HfApi, RepoCard

from training.hub import space
from training.hub.package import PublishError
from webui import zerogpu

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path, tiny) -> Path:
    """A copy of what the Space is made from, with tiny models."""
    for name in ("phonolinguistic", "webui", "training/hub/templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("app.py", "requirements.txt", "LICENSE", "NOTICE", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for kind in ("fusion", "multitask"):
        shutil.copytree(tiny / kind, tmp_path / "models" / kind)
    (tmp_path / "README.md").write_text("# The project\n")
    (tmp_path / ".env").write_text("HF_TOKEN=hf_private")
    (tmp_path / "tests").mkdir()
    return tmp_path


@pytest.fixture
def spaces_id(repo_id) -> str:
    return repo_id.replace("model", "space")


def test_only_what_the_space_runs_on_is_sent(checkout):
    paths = {file.path for file in space.collect(checkout)}
    assert {"app.py", "README.md", "requirements.txt", "webui/style.css", "models/multitask/model.safetensors"} <= paths
    assert "models/multitask/asr_tokenizer/tokenizer.json" in paths
    assert not [p for p in paths if p.startswith(("tests", "training", ".")) or "__pycache__" in p]
    assert not [f for f in space.collect(checkout, models=False) if f.path.startswith("models/")]


def test_dry_run_lists_sizes_and_variables_and_sends_nothing(hub, checkout, monkeypatch, capsys, spaces_id):
    monkeypatch.setattr(space.collect, "__defaults__", (checkout, True))
    hub.seen.clear()
    assert space.main([spaces_id, "--multitask", "team/model@v1", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "kB  app.py" in shown and "PHONOLINGUISTIC_MULTITASK=team/model@v1" in shown and not hub.seen


def test_create_then_update(hub, checkout, monkeypatch, capsys, spaces_id):
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    monkeypatch.setattr(space.collect, "__defaults__", (checkout, True))
    arguments = [spaces_id, "--multitask", "team/model@v1", "--private", "--hardware", "zero-a10g"]
    assert space.main(arguments) == 0
    repo = hub.store.repos["space", spaces_id]
    assert repo.sdk == "gradio" and repo.private and repo.hardware == "zero-a10g"
    assert repo.variables == {"PHONOLINGUISTIC_MULTITASK": "team/model@v1"}
    card = RepoCard(hub.store.read("space", spaces_id, "README.md").decode())
    assert card.data.sdk == "gradio" and card.data.app_file == "app.py" and "# The project" in card.text
    assert "updated" in capsys.readouterr().out

    (checkout / "webui" / "charts.py").unlink()
    assert space.main([spaces_id, "--multitask", "team/model@v2"]) == 0
    assert "webui/charts.py" not in HfApi().list_repo_files(spaces_id, repo_type="space")
    assert repo.variables == {"PHONOLINGUISTIC_MULTITASK": "team/model@v2"}
    assert space.main([spaces_id]) == 0
    assert "was up to date" in capsys.readouterr().out
    assert OWNER_TOKEN not in str(repo.variables)


def test_refused_by_the_hub(hub, checkout, monkeypatch, capsys, spaces_id):
    monkeypatch.setenv("HF_TOKEN", OWNER_TOKEN)
    monkeypatch.setattr(space.collect, "__defaults__", (checkout, True))
    hub.faults.add("repos/create", status=403)
    assert space.main([spaces_id]) == 2
    shown = capsys.readouterr()
    assert "may not write" in shown.err and OWNER_TOKEN not in shown.out + shown.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sdk": "docker"}, "not gradio"),
        ({"sdk_version": "3.0.0"}, "not what requirements.txt asks for"),
        ({"python_version": "3.8"}, "not what pyproject.toml asks for"),
        ({"app_file": "main.py"}, "main.py does not exist"),
        ({"colorFrom": "beige"}, "colorFrom is none of"),
        ({"short_description": "x" * 61}, "longer than 60"),
        ({"title": None}, "title is missing"),
    ],
)
def test_front_matter_that_no_space_can_be_built_from(change, words):
    data = yaml.safe_load(space.TEMPLATE.read_text(encoding="utf-8")) | change
    with pytest.raises(PublishError, match=words):
        space.check_front_matter(f"---\n{yaml.safe_dump(data)}---\n# x\n")


def test_the_repositorys_own_readme_can_head_the_space(hub):
    text = space.readme(ROOT)
    data = space.check_front_matter(text)
    assert data["sdk"] == "gradio"
    RepoCard(text).validate(repo_type="space")


def test_a_space_without_models_is_refused(checkout, capsys, spaces_id):
    assert space.main([spaces_id, "--without-models"]) == 2
    assert "would have no model" in capsys.readouterr().err
    shutil.rmtree(checkout / "models")
    with pytest.raises(PublishError, match="models/"):
        space.collect(checkout)


def third_party(path: Path) -> set[str]:
    """Top-level names that a file imports, without the standard library and the repository's own."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"phonolinguistic", "webui", "spaces"}


def test_requirements_are_sufficient():
    required = set(space.requirements())
    files = [ROOT / "app.py", *(ROOT / "phonolinguistic").rglob("*.py"), *(ROOT / "webui").glob("*.py")]
    used = set().union(*(third_party(path) for path in files))
    assert not used - required


def test_deploying_needs_neither_torch_nor_transformers():
    code = (
        "import sys; sys.modules.update(torch=None, transformers=None); "
        "from training.hub.space import main; main(['a/b', '--dry-run', '--without-models', '--fusion', 'a/c'])"
    )
    environment = os.environ | CLIENT_ENVIRONMENT
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "nothing was sent" in done.stdout, done.stderr


def test_the_action_names_what_exists():
    text = (ROOT / ".github" / "workflows" / "sync-space.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    steps = workflow["jobs"]["sync"]["steps"]
    assert sum("python -m training.hub.space" in step.get("run", "") for step in steps) == 2
    assert "secrets.HF_TOKEN" in text and "--token" not in text


def test_elsewhere_the_gpu_decorator_changes_nothing(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)

    def function():
        return 1

    assert zerogpu.on_gpu(function) is function and zerogpu.on_gpu(seconds=5)(function) is function


def test_on_zero_gpu_only_what_can_be_pickled_is_sent(monkeypatch):
    sent = []

    def gpu(duration):
        def decorate(function):
            def call(*args, **kwargs):
                sent.append((duration, pickle.loads(pickle.dumps((args, kwargs)))))
                return function(*args, **kwargs)

            return call

        return decorate

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=gpu, __spec__=types.SimpleNamespace()))

    class Page:
        def __init__(self):
            self.lock = threading.Lock()  # cannot be pickled, as the page's models cannot

        @zerogpu.on_gpu(seconds=7)
        def answer(self, clip, mode="audio"):
            with self.lock:
                return clip, mode

    page = Page()
    assert page.answer("a.wav", mode="text") == ("a.wav", "text")
    assert sent == [(7, ((id(page), "a.wav"), {"mode": "text"}))]

    @zerogpu.on_gpu
    def plain(text):
        return text.upper()

    assert plain("x") == "X" and sent[-1] == (zerogpu.GPU_SECONDS, (("x",), {}))
