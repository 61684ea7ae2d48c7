"""What the local Hub keeps: users, repositories with their commits and refs, and large files by their SHA-256."""

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone

# What the real Hub writes into a new repository's .gitattributes decides which files are large; these are ours.
LARGE_SUFFIXES = (".safetensors", ".bin", ".pt", ".npz", ".wav", ".flac", ".mp3", ".ogg")
LARGE_BYTES = 10 * 2**20  # any file over it, as on the real Hub


def git_oid(content: bytes) -> str:
    """Git's name of a blob: SHA-1 over its header and content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass(frozen=True)
class User:
    name: str
    can_write: bool = True
    organisations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A file in a commit: its git oid, size in bytes, and SHA-256 when it is a large file (LFS)."""

    oid: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class Commit:
    sha: str
    files: dict[str, Entry]
    title: str
    message: str
    parent: str | None
    date: str


@dataclass
class Repo:
    """One repository; `granted` names the users who were let through its gate."""

    id: str
    type: str
    private: bool = False
    gated: str | bool = False
    sdk: str | None = None
    granted: set[str] = field(default_factory=set)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    def resolve(self, revision: str) -> Commit | None:
        """Branch, tag or commit hash -> commit."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        return self.commits.get(sha)

    def add_commit(self, branch: str, files: dict[str, Entry], title: str, message: str = "") -> Commit:
        parent = self.branches.get(branch)
        seed = f"{self.type} {self.id} {parent} {len(self.commits)} {title} {sorted(files.items())}"
        sha = hashlib.sha1(seed.encode()).hexdigest()
        commit = Commit(sha, files, title, message, parent, now())
        self.commits[sha] = commit
        self.branches[branch] = sha
        return commit

    def history(self, revision: str) -> list[Commit]:
        """The commit and its ancestors, newest first."""
        commit, found = self.resolve(revision), []
        while commit is not None:
            found.append(commit)
            commit = self.commits.get(commit.parent) if commit.parent else None
        return found


class Store:
    """All state of the local Hub; `lock` guards every change."""

    def __init__(self):
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}  # token -> user
        self.repos: dict[tuple[str, str], Repo] = {}  # (type, id) -> repository
        self.moved: dict[tuple[str, str], str] = {}  # (type, old id) -> new id
        self.blobs: dict[str, bytes] = {}  # git oid -> content of a regular file
        self.large: dict[str, bytes] = {}  # SHA-256 -> content of a large file
        self.parts: dict[str, dict[int, bytes]] = {}  # SHA-256 -> part number -> content
        self.collections: dict[str, dict] = {}  # slug -> collection
        self.large_bytes = LARGE_BYTES

    def create(self, kind: str, repo_id: str, private: bool = False, sdk: str | None = None) -> Repo:
        repo = Repo(repo_id, kind, private, sdk=sdk)
        content = "".join(f"*{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LARGE_SUFFIXES).encode()
        repo.add_commit("main", {".gitattributes": self.keep(content)}, "initial commit")
        self.repos[kind, repo_id] = repo
        return repo

    def is_large(self, path: str, size: int) -> bool:
        return size > 0 and (path.endswith(LARGE_SUFFIXES) or size > self.large_bytes)

    def keep(self, content: bytes) -> Entry:
        """Store a regular file."""
        oid = git_oid(content)
        self.blobs[oid] = content
        return Entry(oid, len(content))

    def pointer(self, sha256: str) -> Entry:
        """Entry of a large file that was uploaded before."""
        size = len(self.large[sha256])
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Entry(git_oid(text), size, sha256)

    def content(self, entry: Entry) -> bytes:
        return self.large[entry.sha256] if entry.sha256 else self.blobs[entry.oid]

    def read(self, kind: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """Content of a file, for tests that look behind the protocol."""
        return self.content(self.repos[kind, repo_id].resolve(revision).files[path])
