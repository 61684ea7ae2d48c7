"""Sends a trained model to the Hub: weights, config with remote code, processor, card, metrics.

    python -m training publish models/multitask org/name --private --tag v0.2.0 --dry-run
    python -m training publish --all org --models models --collection "Emotion from speech"

Nothing is sent unless the whole directory passes: trained heads, all tensors, metrics.json, a complete card. One commit
a model, so that a reader never sees half of one; large files that arrived before a cut are not sent again. The token
comes from `hf auth login` or HF_TOKEN, never from the command line, where other users of the machine could read it.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from .hub.errors import hub_errors
from .hub.package import MAX_SHARD_BYTES, Bundle, PublishError, collect

KINDS = ("fusion", "multitask")
OURS = (".safetensors", "_phonolinguistic.py", ".safetensors.index.json")  # deleted remotely when no longer sent


@dataclass(frozen=True)
class Published:
    """Where a model lies now. `changed` is False when the repository had all of it before."""

    repo_id: str
    commit: str
    url: str
    kind: str
    changed: bool
    tag: str | None = None


def push(
    bundle: Bundle,
    repo_id: str,
    *,
    private: bool = False,
    revision: str = "main",
    tag: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> Published:
    """Create the repository if need be and commit the bundle to it.

    Args:
        private: visibility of a repository that is created now; one that exists keeps its own.
        revision: branch; created if it does not exist.
        tag: name for the commit; may exist already if it names this very commit.
        token: default: the one of `hf auth login` or HF_TOKEN.

    Raises:
        PublishError: the Hub refused, or the connection was cut; says what to do.
    """
    with hub_errors(repo_id, token):
        api = HfApi(token=token)
        api.whoami()  # a bad token is found before anything is created
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        if revision != "main":
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        before = api.model_info(repo_id, revision=revision)
        operations = [CommitOperationAdd(f.path, _readable(f.source)) for f in bundle.files]
        sent = {file.path for file in bundle.files}
        stale = [s.rfilename for s in before.siblings if s.rfilename.endswith(OURS) and s.rfilename not in sent]
        operations += [CommitOperationDelete(path) for path in stale]
        commit = api.create_commit(
            repo_id, operations, commit_message=message or f"Publish {bundle.kind} model", revision=revision
        )
        if tag is not None:
            _tag(api, repo_id, tag, commit.oid)
    return Published(repo_id, commit.oid, commit.commit_url, bundle.kind, commit.oid != before.sha, tag)


def _readable(source: Path | bytes) -> str | bytes:
    return source if isinstance(source, bytes) else str(source)


def _tag(api: HfApi, repo_id: str, tag: str, commit: str) -> None:
    there = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if there.get(tag, commit) != commit:
        raise PublishError(
            f"{repo_id}: the commit {commit[:8]} was sent, but tag {tag} exists and names {there[tag][:8]}; "
            "choose another tag, a tag is not moved."
        )
    api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True)


def add_to_collection(title: str, namespace: str, repo_ids: list[str], token: str | None = None) -> str:
    """Put models into a collection (created if need be); returns its id."""
    with hub_errors(namespace, token):
        api = HfApi(token=token)
        collection = api.create_collection(title, namespace=namespace, exists_ok=True)
        for repo_id in repo_ids:
            api.add_collection_item(collection.slug, repo_id, "model", exists_ok=True)
    return collection.slug


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m training publish", description=__doc__.splitlines()[0])
    found.add_argument("directory", nargs="?", type=Path, help="trained model; with --all: left out")
    found.add_argument("repo", help="org/name; with --all: org")
    found.add_argument("--all", action="store_true", help="publish fusion and multitask, as org/phonolinguistic-KIND")
    found.add_argument("--models", type=Path, default=Path("models"), help="folder with fusion/ and multitask/")
    found.add_argument("--private", action="store_true", help="a repository that is created now is private")
    found.add_argument("--revision", default="main", help="branch to commit to; created if need be")
    found.add_argument("--tag", help="name for the commit, such as v0.2.0")
    found.add_argument("--message", help="commit message")
    found.add_argument("--asr", help="Hub id of the recogniser that a fusion model reads")
    found.add_argument(
        "--base-model", action="append", metavar="ORG/NAME", help="what training started from; repeatable"
    )
    found.add_argument("--max-shard-size", type=float, default=MAX_SHARD_BYTES / 1e9, metavar="GB")
    found.add_argument("--collection", metavar="TITLE", help="add the models to this collection")
    found.add_argument(
        "--to", type=Path, metavar="DIR", help="write the files into DIR (with --all: DIR/KIND); send nothing"
    )
    found.add_argument("--dry-run", action="store_true", help="check everything, list what would be sent, send nothing")
    return found


def main(arguments: list[str] | None = None) -> int:
    commands = parser()
    options = commands.parse_args(arguments)
    if options.all == (options.directory is not None):
        commands.error("give DIRECTORY and org/name, or --all and org")
    if options.all:
        jobs = [(options.models / kind, f"{options.repo}/phonolinguistic-{kind}") for kind in KINDS]
    else:
        jobs = [(options.directory, options.repo)]
    bundles, done = [], []
    try:
        for directory, repo_id in jobs:  # all are checked before the first is sent
            if repo_id.count("/") != 1:
                raise PublishError(f"{repo_id!r} is no repository; accepted: org/name.")
            settings = {"asr": options.asr, "base_models": options.base_model, "stays": options.to is not None}
            limit = int(options.max_shard_size * 1e9)
            bundles.append((repo_id, collect(directory, repo_id, max_shard_bytes=limit, **settings)))
        for repo_id, bundle in bundles:
            print(f"{repo_id} ({bundle.kind}, {options.revision}):\n{bundle.listing()}", flush=True)
            if options.to is not None:
                bundle.write(options.to / bundle.kind if options.all else options.to)
            elif not options.dry_run:
                settings = {name: getattr(options, name) for name in ("private", "revision", "tag", "message")}
                done.append(push(bundle, repo_id, **settings))
        if options.dry_run or options.to is not None:
            print("dry run: nothing was sent" if options.to is None else f"written to {options.to}; nothing was sent")
            return 0
        _report(done)
        if options.collection:
            namespace = jobs[0][1].split("/")[0]
            print(f"collection: {add_to_collection(options.collection, namespace, [p.repo_id for p in done])}")
    except PublishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        for _, bundle in bundles:
            bundle.close()
    return 0


def _report(done: list[Published]) -> None:
    for published in done:
        state = "published" if published.changed else "was there already"
        print(f"{published.repo_id} {state}: {published.url}" + (f" (tag {published.tag})" if published.tag else ""))
    print("\nStart the app with:")
    for published in done:
        print(f"  PHONOLINGUISTIC_{published.kind.upper()}={published.repo_id}@{published.tag or published.commit}")


if __name__ == "__main__":
    sys.exit(main())
