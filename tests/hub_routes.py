"""The Hub's HTTP protocol over a `Store`: from a request to a response, without sockets.

Paths and payloads are the ones that huggingface_hub 2.x sends (hf_api.py, _commit_api.py, lfs.py, file_download.py).
"""

import json
import re
from urllib.parse import parse_qs, quote, unquote

import hub_lfs
import hub_social
from hub_messages import HubError, Request, Response, reply
from hub_store import Commit, Repo, Store, User

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
LOCAL_CDN = "localhost"  # another origin than 127.0.0.1, as the real content network is: tokens must not reach it


class Routes:
    """`handle(request) -> Response`."""

    def __init__(self, store: Store):
        self.store = store

    def handle(self, request: Request) -> Response:
        try:
            with self.store.lock:
                return self._route(request)
        except HubError as error:
            return error.response

    def _route(self, request: Request) -> Response:
        parts = [unquote(p) for p in request.path.strip("/").split("/")]
        if parts[0] in ("lfs", "cdn"):  # signed addresses: no token needed, none wanted
            return hub_lfs.storage(self.store, request, parts)
        request.user = self._user(request)
        if parts[0] == "api":
            return self._api(request, parts[1:])
        kind, rest = (KINDS[parts[0]], parts[1:]) if parts[0] in ("datasets", "spaces") else ("model", parts)
        if len(rest) >= 2 and rest[1].endswith(".git"):
            repo = self.repo(request, kind, f"{rest[0]}/{rest[1][:-4]}", write=True)
            return hub_lfs.batch(self.store, request, repo)
        if len(rest) >= 5 and rest[2] == "resolve":
            return self._resolve(request, kind, "/".join(rest[:2]), rest[3], "/".join(rest[4:]))
        raise HubError(404, "Sorry, we can't find the page you are looking for.")

    def _user(self, request: Request) -> User | None:
        header = request.headers.get("authorization")
        if header is None:
            return None
        user = self.store.users.get(header.removeprefix("Bearer "))
        if user is None:
            raise HubError(401, "Invalid credentials in Authorization header")
        return user

    def repo(self, request: Request, kind: str, repo_id: str, write: bool = False, content: bool = False) -> Repo:
        """The repository, if this user may see it (write: change it; content: read its files)."""
        repo, user = self.store.repos.get((kind, repo_id)), request.user
        owned = user is not None and repo is not None and repo.owner in (user.name, *user.organisations)
        if repo is None or (repo.private and not owned):
            if user is None:
                # The real Hub does not tell a stranger whether a private repository exists.
                raise HubError(401, "Invalid username or password.", "RepoNotFound")
            raise HubError(404, "Repository not found", "RepoNotFound")
        if write:
            if user is None:
                raise HubError(401, "Invalid username or password.")
            if not (owned and user.can_write):
                raise HubError(403, f"You don't have the rights to write to {repo_id} with this token")
        if content and repo.gated and not owned and (user is None or user.name not in repo.granted):
            status = 401 if user is None else 403
            raise HubError(status, f"Access to {kind} {repo_id} is restricted.", "GatedRepo")
        return repo

    def commit(self, repo: Repo, revision: str) -> Commit:
        commit = repo.resolve(revision)
        if commit is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    # Files

    def _resolve(self, request: Request, kind: str, repo_id: str, revision: str, path: str) -> Response:
        moved = self.store.moved.get((kind, repo_id))
        if moved is not None:
            prefix = "" if kind == "model" else f"/{kind}s"
            target = f"{prefix}/{moved}/resolve/{quote(revision, safe='')}/{quote(path)}"
            return Response(307, headers={"Location": target})
        repo = self.repo(request, kind, repo_id, content=True)
        commit = self.commit(repo, revision)
        entry = commit.files.get(path)
        if entry is None:
            raise HubError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.sha)
        headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        if entry.sha256 is None:
            headers |= {"ETag": f'"{entry.oid}"', "Content-Type": "text/plain; charset=utf-8"}
            return hub_lfs.ranged(request, self.store.content(entry), headers)
        headers |= {
            "X-Linked-Size": str(entry.size),
            "X-Linked-Etag": f'"{entry.sha256}"',
            "Location": request.base.replace("127.0.0.1", LOCAL_CDN) + f"/cdn/{entry.sha256}?signature=local",
        }
        return Response(302, headers=headers)

    def _entry(self, path: str, commit: Commit) -> dict:
        entry = commit.files[path]
        found = {"type": "file", "path": path, "oid": entry.oid, "size": entry.size}
        if entry.sha256:
            found["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": 134}
        return found

    # API

    def _api(self, request: Request, parts: list[str]) -> Response:
        head = parts[0]
        if head == "whoami-v2":
            return hub_social.whoami(request)
        if head == "validate-yaml":
            return hub_social.validate_card(request)
        if head == "repos":
            return self._repos(request, parts[1])
        if head == "collections":
            return hub_social.collections(self.store, request, parts[1:])
        if head in KINDS and len(parts) >= 3:
            kind, repo_id, rest = KINDS[head], "/".join(parts[1:3]), parts[3:]
            action = getattr(self, "_" + (rest[0].replace("-", "_") if rest else "revision"), None)
            if action is not None:
                return action(request, kind, repo_id, rest[1:])
        raise HubError(404, f"No such endpoint here: {request.method} {request.path}")

    def _repos(self, request: Request, action: str) -> Response:
        payload, user = request.json(), request.user
        if user is None:
            raise HubError(401, "Invalid username or password.")
        owner, kind = payload.get("organization") or user.name, payload.get("type") or "model"
        repo_id = f"{owner}/{payload['name']}"
        if owner not in (user.name, *user.organisations) or not user.can_write:
            raise HubError(403, f"You don't have the rights to create a {kind} under the namespace {owner!r}")
        if action == "delete":
            self.repo(request, kind, repo_id, write=True)
            del self.store.repos[kind, repo_id]
            return reply({})
        prefix = "" if kind == "model" else f"{kind}s/"
        answer = {"url": f"{request.base}/{prefix}{repo_id}", "name": repo_id}
        if (kind, repo_id) in self.store.repos:
            return reply(answer | {"error": f"You already created this {kind} repo: {repo_id}"}, 409)
        private = payload.get("visibility") == "private" or bool(payload.get("private"))
        repo = self.store.create(kind, repo_id, private, payload.get("sdk"))
        repo.variables.update({v["key"]: v["value"] for v in payload.get("variables") or []})
        repo.secrets.update({v["key"]: v["value"] for v in payload.get("secrets") or []})
        repo.hardware = payload.get("hardware") or repo.hardware
        return reply(answer)

    def _revision(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id)
        commit = self.commit(repo, rest[0] if rest else "main")
        siblings = []
        for path in sorted(commit.files):
            found = {"rfilename": path}
            if request.flag("blobs"):
                entry = commit.files[path]
                found |= {"size": entry.size, "blobId": entry.oid}
                if entry.sha256:
                    found["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": 134}
            siblings.append(found)
        dates = {"lastModified": commit.date, "createdAt": repo.history("main")[-1].date}
        info = {"id": repo.id, "author": repo.owner, "sha": commit.sha, "private": repo.private, "gated": repo.gated}
        info |= dates | {"disabled": False, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings}
        card = commit.files.get("README.md")
        if card is not None:
            data = hub_social.front_matter(self.store.content(card).decode()) or {}
            info |= {
                "cardData": data,
                "pipeline_tag": data.get("pipeline_tag"),
                "library_name": data.get("library_name"),
            }
        if kind == "space":
            info |= {"sdk": repo.sdk, "runtime": {"stage": "BUILDING", "hardware": {"current": repo.hardware}}}
        return reply(info)

    def _tree(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id)
        commit, folder = self.commit(repo, rest[0]), "/".join(rest[1:]).strip("/")
        prefix = f"{folder}/" if folder else ""
        inside = [p for p in sorted(commit.files) if p.startswith(prefix)]
        if folder and not inside:
            raise HubError(404, f"{folder} does not exist on {rest[0]}", "EntryNotFound")
        folders = {prefix + p[len(prefix) :].split("/")[0] for p in inside if "/" in p[len(prefix) :]}
        if request.flag("recursive"):
            folders = {"/".join(p.split("/")[:i]) for p in inside for i in range(1, p.count("/") + 1)}
        else:
            inside = [p for p in inside if "/" not in p[len(prefix) :]]
        listing = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in sorted(folders)]
        return reply(listing + [self._entry(p, commit) for p in inside])

    def _paths_info(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        commit = self.commit(self.repo(request, kind, repo_id), rest[0])
        paths = parse_qs(request.body.decode()).get("paths", [])
        return reply([self._entry(p, commit) for p in paths if p in commit.files])

    def _refs(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id)
        branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": s} for n, s in repo.branches.items()]
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": s} for n, s in repo.tags.items()]
        return reply({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})

    def _commits(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id)
        self.commit(repo, rest[0])
        authors = [{"user": repo.owner}]
        return reply(
            [
                {"id": c.sha, "title": c.title, "message": c.message, "date": c.date, "authors": authors}
                for c in repo.history(rest[0])
            ]
        )

    def _auth_check(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        self.repo(request, kind, repo_id, write="write" in rest, content=True)
        return reply({})

    def _settings(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo, payload = self.repo(request, kind, repo_id, write=True), request.json()
        repo.private = payload.get("visibility", "private" if repo.private else "public") == "private"
        repo.gated = payload.get("gated", repo.gated)
        return reply({})

    def _preupload(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        commit, files = self.commit(self.repo(request, kind, repo_id, write=True), rest[0]), []
        for item in request.json()["files"]:
            mode = "lfs" if self.store.is_large(item["path"], item["size"]) else "regular"
            found = {"path": item["path"], "uploadMode": mode, "shouldIgnore": False}
            entry = commit.files.get(item["path"])
            if entry is not None:
                found["oid"] = entry.sha256 or entry.oid
            files.append(found)
        return reply({"files": files})

    def _commit(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        branch = rest[0]
        if branch not in repo.branches:
            raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        lines = [json.loads(line) for line in request.body.decode().splitlines() if line]
        header = next(item["value"] for item in lines if item["key"] == "header")
        if header.get("parentCommit") not in (None, repo.branches[branch]):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(self.commit(repo, branch).files)
        for item in lines:
            hub_lfs.apply(self.store, files, item["key"], item["value"])
        made = repo.add_commit(branch, files, header["summary"], header.get("description", ""))
        prefix = "" if kind == "model" else f"{kind}s/"
        url = f"{request.base}/{prefix}{repo.id}/commit/{made.sha}"
        return reply({"success": True, "commitOid": made.sha, "commitUrl": url, "pullRequestUrl": None})

    def _tag(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        if request.method == "DELETE":
            if repo.tags.pop(rest[0], None) is None:
                raise HubError(404, "Tag not found", "RevisionNotFound")
            return reply({})
        tag, commit = request.json()["tag"], self.commit(repo, rest[0])
        if tag in repo.tags:
            raise HubError(409, f"Tag reference exists already: {tag}")
        if not re.fullmatch(r"[\w.\-/]+", tag):
            raise HubError(400, f"Invalid tag name: {tag}")
        repo.tags[tag] = commit.sha
        return reply({})

    def _branch(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        if rest[0] in repo.branches:
            raise HubError(409, f"Reference already exists: {rest[0]}")
        repo.branches[rest[0]] = self.commit(repo, request.json().get("startingPoint") or "main").sha
        return reply({})

    def _variables(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        if request.method == "POST":
            repo.variables[request.json()["key"]] = request.json()["value"]
        elif request.method == "DELETE":
            repo.variables.pop(request.json()["key"], None)
        return reply({k: {"key": k, "value": v, "updatedAt": now_of(repo)} for k, v in repo.variables.items()})

    def _secrets(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        repo.secrets[request.json()["key"]] = request.json()["value"]
        return reply({})

    def _hardware(self, request: Request, kind: str, repo_id: str, rest: list[str]) -> Response:
        repo = self.repo(request, kind, repo_id, write=True)
        repo.hardware = request.json()["flavor"]
        return reply({"stage": "BUILDING", "hardware": {"current": "cpu-basic", "requested": repo.hardware}})


def now_of(repo: Repo) -> str:
    return repo.resolve("main").date
