"""Where weights come from: a directory, a Hub repository, or the release that ships with the code."""

import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

KINDS = ("fusion", "multitask", "asr")
VARIABLES = {kind: f"PHONOLINGUISTIC_{kind.upper()}" for kind in KINDS}
MODELS_VARIABLE = "PHONOLINGUISTIC_MODELS"  # a folder with asr/, fusion/, multitask/ in place of the embedded release
EMBEDDED = "embedded"

# An unreachable Hub must not hold up the start: seconds for the first request, and for each file's head.
TIMEOUT = 5.0

# Only what the loaders read: no pickles, no code, no other framework's weights.
FILES = ("*.json", "*.txt", "*.model", "*.safetensors")

_REPO = re.compile(r"^[\w.-]+/[\w.-]+$")


class ReleaseError(RuntimeError):
    """A model cannot be had. The message is short, says what to do, and never holds a token.

    `reason` is one of: missing, name, not_found, revision, gated, token, rate_limit, server, offline, damaged, kind.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Release:
    """A directory that holds a model, and how it was found (fields as in `results.ModelInfo`)."""

    path: Path
    source: str
    revision: str | None = None
    embedded: bool = False
    notice: str | None = None

    @property
    def label(self) -> str:
        """Where the weights come from, in one word."""
        if self.embedded:
            return f"{EMBEDDED}/{self.path.name}"
        return f"{self.source.split('@')[0]}@{self.revision[:12]}" if self.revision else self.source

    def config(self) -> dict:
        """The model's config.json. Raises ReleaseError when it is missing or is not JSON."""
        return _read_json(self.path / "config.json", self.source)

    def metrics(self) -> dict:
        """The release's metrics.json; {} where there is none."""
        file = self.path / "metrics.json"
        return _read_json(file, self.source) if file.is_file() else {}


def models_folder() -> Path:
    """The embedded release: `PHONOLINGUISTIC_MODELS`, or models/ beside the package."""
    named = os.environ.get(MODELS_VARIABLE)
    return Path(named).expanduser() if named else Path(__file__).resolve().parent.parent / "models"


def embedded(kind: str, notice: str | None = None) -> Release | None:
    """The embedded model of this kind, or None when it did not ship."""
    folder = models_folder() / kind
    if not (folder / "config.json").is_file():
        return None
    return Release(folder, EMBEDDED, embedded=True, notice=notice)


def resolve(
    spec: str | os.PathLike,
    kind: str | None = None,
    *,
    revision: str | None = None,
    token: str | None = None,
    fallback: bool = False,
) -> Release:
    """Find the model that `spec` names, downloading it if need be.

    Args:
        spec: a directory, or "org/repo", or "org/repo@revision".
        kind: "fusion", "multitask" or "asr": what is expected, and what to fall back to.
        revision: branch, tag or commit; the one in `spec` wins.
        token: Hub token; None: the one that the machine is logged in with, if any.
        fallback: on failure give the embedded release of this kind, with a notice, when there is one.

    Raises:
        ReleaseError: it cannot be had, and there is nothing to fall back to.
    """
    try:
        release = _find(str(spec), revision, token)
        _check_kind(release, kind)
        return release
    except ReleaseError as error:
        instead = embedded(kind, f"{error} The embedded release is in use.") if fallback and kind else None
        if instead is None:
            raise
        logger.warning("%s", instead.notice)
        return instead


def _find(spec: str, revision: str | None, token: str | None) -> Release:
    folder = Path(spec).expanduser()
    if folder.is_dir():
        return Release(folder, spec)
    repo, _, named = spec.partition("@")
    if not _REPO.match(repo) or repo.startswith(".") or ".." in repo:
        raise ReleaseError(f"{spec}: no such directory; accepted: a directory, or org/repo[@revision].", "missing")
    revision = named or revision
    path, commit, notice = _download(repo, revision, token)
    return Release(path, spec if named or not revision else f"{repo}@{revision}", commit, notice=notice)


def _download(repo: str, revision: str | None, token: str | None) -> tuple[Path, str, str | None]:
    """-> directory, commit, notice. An unreachable Hub is no failure when the files are in the cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # the client's own: httpx or httpx2, by its version

    try:
        # First, because it answers at once where a download would try again and again.
        HfApi().model_info(repo, revision=revision, timeout=TIMEOUT, token=token)
        # By its name, not by its commit: so the cache remembers which commit the name was, for when the Hub is away.
        path = Path(
            snapshot_download(repo, revision=revision, token=token, allow_patterns=list(FILES), etag_timeout=TIMEOUT)
        )
        _verify(repo, path.name, token)
        return path, path.name, None
    except HFValidationError:
        raise ReleaseError(
            f"{repo!r} is not a name of a Hub repository; accepted: org/repo[@revision].", "name"
        ) from None
    except HfHubHTTPError as error:
        refusal = _refusal(repo, revision, error)
        cached = _cached(repo, revision) if refusal.reason in ("server", "rate_limit") else None
        if cached is None:
            raise refusal from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, httpx.HTTPError, OSError) as error:
        cached = _cached(repo, revision)
        if cached is None:
            raise _unreachable(repo, error) from error
    notice = f"The Hub cannot be reached: {repo} is the copy downloaded before ({cached.name[:12]})."
    return cached, cached.name, notice


def _cached(repo: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(repo, revision=revision, local_files_only=True, allow_patterns=list(FILES)))
    except (LocalEntryNotFoundError, IncompleteSnapshotError):
        return None
    whole = (path / "config.json").is_file() and any(path.glob("*.safetensors"))
    return path if whole else None


def _verify(repo: str, commit: str, token: str | None) -> None:
    """huggingface_hub compares sizes, not content: a flipped byte would become a wrong answer."""
    from huggingface_hub import HfApi

    found = HfApi().verify_repo_checksums(repo, revision=commit, token=token)
    for mismatch in found.mismatches:
        link = Path(found.verified_path) / mismatch["path"]
        blob = link.resolve()
        link.unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
    if found.mismatches:
        names = ", ".join(sorted(mismatch["path"] for mismatch in found.mismatches))
        raise ReleaseError(
            f"{repo}: {names} was damaged on the way (checksum) and is deleted; start again to download it anew.",
            "damaged",
        )


def _refusal(repo: str, revision: str | None, error: Exception) -> ReleaseError:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    status = error.response.status_code if error.response is not None else 0
    if isinstance(error, GatedRepoError):
        text = f"{repo} is gated: ask for access on its page, then set HF_TOKEN to a token of that account."
        return ReleaseError(text, "gated")
    if isinstance(error, RevisionNotFoundError):
        return ReleaseError(f"{repo} has no revision {revision!r}.", "revision")
    if isinstance(error, RepositoryNotFoundError):
        text = (
            f"{repo} is not on the Hub, or it is private: check the name, or set HF_TOKEN to a token that may read it."
        )
        return ReleaseError(text, "not_found")
    if status in (401, 403):
        return ReleaseError(f"The Hub refuses the token for {repo} ({status}): set HF_TOKEN to a valid one.", "token")
    if status == 429:
        return ReleaseError(
            f"The Hub answers 429 (too many requests) for {repo}: try again in a few minutes.", "rate_limit"
        )
    return ReleaseError(f"The Hub answers {status} for {repo}: try again later.", "server")


def _unreachable(repo: str, error: Exception) -> ReleaseError:
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import httpx

    if isinstance(error, OfflineModeIsEnabled):
        return ReleaseError(f"{repo} is not in the cache, and HF_HUB_OFFLINE forbids a download.", "offline")
    if isinstance(error, OSError) and not isinstance(error, (httpx.HTTPError, ConnectionError, TimeoutError)):
        if "onsistency" in str(error):  # huggingface_hub: a file shorter or longer than announced
            return ReleaseError(f"{repo}: the download broke off; start again to go on.", "damaged")
        return ReleaseError(f"{repo} cannot be stored: {error.strerror or type(error).__name__}.", "offline")
    return ReleaseError(f"The Hub cannot be reached for {repo} ({type(error).__name__}).", "offline")


def _check_kind(release: Release, kind: str | None) -> None:
    config = release.config()
    ours = config.get("model_type") == "phonolinguistic"
    if kind == "asr":
        if ours:
            raise ReleaseError(f"{release.source} is no speech recogniser; accepted: Whisper or a CTC network.", "kind")
        return
    if not ours:
        text = f"{release.source} is no phonolinguistic model (model_type {config.get('model_type')!r})."
        raise ReleaseError(text, "kind")
    found = "multitask" if config.get("multitask") else "fusion"
    if kind is not None and found != kind:
        raise ReleaseError(f"{release.source} is a {found} model where a {kind} model is expected.", "kind")


def _read_json(file: Path, source: str) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReleaseError(f"{source} holds no {file.name}: it is not a model.", "missing") from None
    except (ValueError, OSError):
        raise ReleaseError(f"{source}: {file.name} cannot be read; it is damaged.", "damaged") from None
    if not isinstance(content, dict):
        raise ReleaseError(f"{source}: {file.name} is not a JSON object; it is damaged.", "damaged")
    return content
