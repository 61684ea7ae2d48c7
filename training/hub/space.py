"""Creates or updates the Gradio Space from this repository: only what it runs on, in one commit, with its variables.

    python -m training.hub.space org/name --dry-run
    python -m training.hub.space org/name --multitask org/model@v0.2.0 --fusion org/other --private
    python -m training.hub.space org/name --hardware zero-a10g          # or cpu-basic, which is the default

The same files run on CPU-basic (2 vCPU, 16 GB) and on ZeroGPU: there `spaces` is installed and `webui.zerogpu` uses it.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from packaging.requirements import Requirement

from .errors import hub_errors
from .package import BundleFile, PublishError, human

ROOT = Path(__file__).resolve().parents[2]
# Globs from the repository's root. Nothing else is sent: no training, no tests, no caches.
FILES = (
    "app.py", "requirements.txt", "LICENSE", "NOTICE", "README.md", "phonolinguistic/**/*.py", "webui/**/*.py",
    "webui/**/*.css", "webui/**/*.svg", "models/*/*.json", "models/*/*.txt", "models/*/*.safetensors",
    "models/*/asr_tokenizer/*", "examples/*.flac", "examples/*.ogg", "examples/*.json",
    "docs/*.png",
)  # fmt: skip
NEEDED = ("app.py", "requirements.txt", "LICENSE", "NOTICE", "phonolinguistic/__init__.py")
VARIABLES = ("fusion", "multitask", "asr")
FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
REQUIRED = ("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "app_file", "python_version", "license")
MAX_DESCRIPTION = 60  # the Hub's own limit, in characters
TEMPLATE = Path(__file__).with_name("templates") / "space.yaml"


@dataclass(frozen=True)
class Deployed:
    """The Space as it is now."""

    repo_id: str
    url: str
    commit: str
    changed: bool
    variables: dict[str, str]


def collect(root: Path = ROOT, models: bool = True) -> list[BundleFile]:
    """The Space's files.

    Args:
        models: send the embedded release too; without it the Space needs model ids in its variables.

    Raises:
        PublishError: something that the Space needs is missing, or its README's front matter is wrong.
    """
    found = {}
    for pattern in FILES:
        if not models and pattern.startswith("models/"):
            continue
        for path in sorted(root.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                found[path.relative_to(root).as_posix()] = path
    missing = [name for name in NEEDED if name not in found]
    if models and not any(name.startswith("models/") for name in found):
        missing.append("models/ (or name models with --fusion and --multitask, and --without-models)")
    if missing:
        raise PublishError(f"The Space needs {', '.join(missing)}.")
    text = readme(root)
    check_front_matter(text, root)
    files = [BundleFile("README.md", text.encode())]
    return files + [BundleFile(name, path) for name, path in sorted(found.items()) if name != "README.md"]


def readme(root: Path = ROOT) -> str:
    """The repository's README with the Space's front matter, which is put in front where it has none of its own."""
    path = root / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if FRONT_MATTER.match(text):
        return text
    return f"---\n{TEMPLATE.read_text(encoding='utf-8').strip()}\n---\n\n{text}"


def check_front_matter(text: str, root: Path = ROOT) -> dict:
    """The README's front matter, if a Gradio Space can be built by it.

    Raises:
        PublishError: names every field that is missing or wrong.
    """
    found = FRONT_MATTER.match(text)
    try:
        data = yaml.safe_load(found.group(1)) if found else {}
    except yaml.YAMLError as error:
        raise PublishError(f"README.md: the front matter is no YAML ({str(error).splitlines()[0]}).") from error
    problems = [f"{name} is missing" for name in REQUIRED if not data.get(name)]
    if data.get("sdk") not in (None, "gradio"):
        problems.append(f"sdk is {data['sdk']!r}, not gradio")
    problems += [
        f"{k} is none of {', '.join(COLOURS)}" for k in ("colorFrom", "colorTo") if data.get(k, "red") not in COLOURS
    ]
    if data.get("app_file") and not (root / data["app_file"]).is_file():
        problems.append(f"app_file {data['app_file']} does not exist")
    if len(data.get("short_description") or "") > MAX_DESCRIPTION:
        problems.append(f"short_description is longer than {MAX_DESCRIPTION} characters")
    version = str(data.get("sdk_version") or "")
    gradio = requirements(root).get("gradio")
    if version and gradio is not None and not gradio.specifier.contains(version):
        problems.append(f"sdk_version {version} is not what requirements.txt asks for (gradio{gradio.specifier})")
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.search(r'^requires-python = "(.+)"$', project, re.MULTILINE).group(1)
    if data.get("python_version") and not Requirement(f"python{wanted}").specifier.contains(
        str(data["python_version"])
    ):
        problems.append(f"python_version {data['python_version']} is not what pyproject.toml asks for ({wanted})")
    if problems:
        raise PublishError(f"README.md cannot head a Space: {'; '.join(problems)}.")
    return data


def requirements(root: Path = ROOT) -> dict[str, Requirement]:
    """requirements.txt by package name."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
    return {requirement.name.lower().replace("-", "_"): requirement for requirement in found}


def deploy(
    repo_id: str,
    files: list[BundleFile],
    variables: dict[str, str],
    *,
    private: bool = False,
    hardware: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> Deployed:
    """Create the Space if need be, set its variables, and commit its files; files it no longer has are deleted.

    Raises:
        PublishError: the Hub refused; says what to do.
    """
    with hub_errors(repo_id, token):
        api = HfApi(token=token)
        api.whoami()
        api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private or None, exist_ok=True)
        there = api.get_space_variables(repo_id)
        for name, value in variables.items():  # before the commit, which starts the build
            if name not in there or there[name].value != value:
                api.add_space_variable(repo_id, name, value)
        before = api.space_info(repo_id)
        sent = {file.path for file in files}
        stale = [s.rfilename for s in before.siblings if s.rfilename not in sent | {".gitattributes"}]
        operations = [
            CommitOperationAdd(f.path, f.source if isinstance(f.source, bytes) else str(f.source)) for f in files
        ]
        operations += [CommitOperationDelete(path) for path in stale]
        commit = api.create_commit(
            repo_id, operations, repo_type="space", commit_message=message or "Update from the repository"
        )
        if hardware is not None:
            api.request_space_hardware(repo_id, hardware)
        values = {name: variable.value for name, variable in api.get_space_variables(repo_id).items()}
        url = f"{api.endpoint}/spaces/{repo_id}"
    return Deployed(repo_id, url, commit.oid, commit.oid != before.sha, values)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repo", help="org/name of the Space")
    for name in VARIABLES:
        parser.add_argument(f"--{name}", metavar="ORG/NAME[@REV]", help=f"sets PHONOLINGUISTIC_{name.upper()}")
    parser.add_argument("--without-models", action="store_true", help="leave the embedded release out")
    parser.add_argument("--private", action="store_true", help="a Space that is created now is private")
    parser.add_argument("--hardware", help="ask for this hardware, such as cpu-basic or zero-a10g")
    parser.add_argument("--message", help="commit message")
    parser.add_argument("--dry-run", action="store_true", help="check, list files and variables, send nothing")
    options = parser.parse_args(arguments)
    variables = {f"PHONOLINGUISTIC_{n.upper()}": getattr(options, n) for n in VARIABLES if getattr(options, n)}
    try:
        if options.repo.count("/") != 1:
            raise PublishError(f"{options.repo!r} is no Space; accepted: org/name.")
        if options.without_models and not {"PHONOLINGUISTIC_FUSION", "PHONOLINGUISTIC_MULTITASK"} & set(variables):
            raise PublishError("--without-models needs --fusion or --multitask: the Space would have no model.")
        files = collect(models=not options.without_models)
        for file in files:
            print(f"  {human(file.size):>9}  {file.path}")
        print(f"  {human(sum(f.size for f in files)):>9}  in {len(files)} files")
        for name, value in variables.items():
            print(f"  {name}={value}")
        if options.dry_run:
            print("dry run: nothing was sent")
            return 0
        settings = {name: getattr(options, name) for name in ("private", "hardware", "message")}
        deployed = deploy(options.repo, files, variables, **settings)
    except PublishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{deployed.url} {'updated' if deployed.changed else 'was up to date'} ({deployed.commit[:12]})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
