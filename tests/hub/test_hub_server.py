"""The local Hub itself: the unmodified client must find in it what it finds in the real one."""

import os

import httpx2
import pytest
from hub_session import OWNER_TOKEN, READER_TOKEN, STRANGER_TOKEN
from huggingface_hub import HfApi, ModelCard, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    BadRequestError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


@pytest.fixture
def filled(hub, repo_id, tmp_path) -> str:
    """A repository with a large file, a small one, and one in a folder."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "model.safetensors").write_bytes(os.urandom(200_000))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub" / "words.txt").write_text("words")
    api = HfApi(token=OWNER_TOKEN)
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path, commit_message="first")
    return repo_id


def test_a_snapshot_is_what_was_sent(filled, tmp_path):
    folder = snapshot_download(filled)
    for name in ("model.safetensors", "config.json", "sub/words.txt"):
        with open(f"{folder}/{name}", "rb") as file:
            assert file.read() == (tmp_path / name).read_bytes()
    assert not HfApi().verify_repo_checksums(filled).mismatches


def test_large_files_come_from_another_origin_without_the_token(hub, filled):
    hub.seen.clear()
    hf_hub_download(filled, "model.safetensors", token=OWNER_TOKEN)
    from_cdn = [seen for seen in hub.seen if seen.path.startswith("/cdn/")]
    assert from_cdn and all(seen.token is None for seen in from_cdn)
    assert [seen.token for seen in hub.seen if "/resolve/" in seen.path] == [OWNER_TOKEN]


def test_parts_are_put_together(hub, repo_id, tmp_path):
    hub.store.multipart_bytes = 30_000
    content = os.urandom(100_000)
    (tmp_path / "model.safetensors").write_bytes(content)
    api = HfApi(token=OWNER_TOKEN)
    api.create_repo(repo_id)
    api.upload_file(path_or_fileobj=tmp_path / "model.safetensors", path_in_repo="model.safetensors", repo_id=repo_id)
    assert hub.store.read("model", repo_id, "model.safetensors") == content
    assert len([seen for seen in hub.seen if seen.path.startswith("/lfs/part/")]) == 4
    hub.store.multipart_bytes = 5 * 2**20


def test_a_cut_download_is_resumed_by_a_range(hub, filled, tmp_path):
    fault = hub.faults.add("GET /cdn/", kind="cut", after=70_000, times=2)
    path = hf_hub_download(filled, "model.safetensors", force_download=True)
    with open(path, "rb") as file:
        assert file.read() == (tmp_path / "model.safetensors").read_bytes()
    assert fault.hits == 2


def test_ranges(hub, filled):
    entry = hub.store.repos["model", filled].resolve("main").files["model.safetensors"]
    url = f"{hub.url}/cdn/{entry.sha256}"
    content = hub.store.content(entry)
    for asked, expected in (("bytes=5-9", content[5:10]), ("bytes=199990-", content[-10:]), ("bytes=-3", content[-3:])):
        response = httpx2.get(url, headers={"Range": asked})
        assert (response.status_code, response.content) == (206, expected)
    assert httpx2.get(url, headers={"Range": "bytes=200000-"}).status_code == 416


def test_tree_refs_commits_and_paths(filled):
    api = HfApi(token=OWNER_TOKEN)
    api.create_tag(filled, tag="v1")
    api.create_branch(filled, branch="trial")
    refs = api.list_repo_refs(filled)
    assert [r.name for r in refs.tags] == ["v1"] and [r.name for r in refs.branches] == ["main", "trial"]
    assert [e.path for e in api.list_repo_tree(filled)] == ["sub", ".gitattributes", "config.json", "model.safetensors"]
    assert [e.path for e in api.list_repo_tree(filled, "sub")] == ["sub/words.txt"]
    assert api.get_paths_info(filled, ["sub/words.txt", "none"])[0].size == 5
    assert [c.title for c in api.list_repo_commits(filled)] == ["first", "initial commit"]
    sibling = next(s for s in api.model_info(filled, files_metadata=True).siblings if s.lfs)
    assert sibling.rfilename == "model.safetensors" and sibling.lfs.size == 200_000


def test_a_renamed_repository_redirects(hub, filled):
    hub.store.moved["model", "team/old-name"] = filled
    with open(hf_hub_download("team/old-name", "sub/words.txt")) as file:
        assert file.read() == "words"


def test_what_does_not_exist(filled):
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(filled, "nothing.txt")
    with pytest.raises(RevisionNotFoundError):
        HfApi().model_info(filled, revision="never")
    with pytest.raises(RepositoryNotFoundError):
        HfApi(token=OWNER_TOKEN).model_info("team/nothing")


def test_private_and_gated(hub, filled):
    repo = hub.store.repos["model", filled]
    repo.private = True
    for token in (False, STRANGER_TOKEN):
        with pytest.raises(RepositoryNotFoundError):
            HfApi().model_info(filled, token=token)
    assert HfApi().model_info(filled, token=READER_TOKEN).private
    repo.private, repo.gated = False, "manual"
    assert HfApi().model_info(filled, token=False).gated == "manual"
    with pytest.raises(GatedRepoError):
        HfApi().auth_check(filled, token=STRANGER_TOKEN)
    repo.granted.add("stranger")
    HfApi().auth_check(filled, token=STRANGER_TOKEN)


def test_who_may_write(filled):
    assert HfApi().whoami(READER_TOKEN)["name"] == "reader"
    with pytest.raises(HfHubHTTPError, match="403"):
        HfApi(token=READER_TOKEN).create_tag(filled, tag="v9")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi().whoami("hf_unknown")


def test_a_commit_on_an_old_parent_is_refused(filled, tmp_path):
    api = HfApi(token=OWNER_TOKEN)
    old = api.list_repo_commits(filled)[1].commit_id
    with pytest.raises(HfHubHTTPError, match="412"):
        api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=filled, parent_commit=old)


def test_a_commit_whose_large_file_never_arrived_is_refused(hub, filled):
    line = '{"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": "%s", "size": 3}}' % ("0" * 64)
    body = '{"key": "header", "value": {"summary": "s"}}\n' + line
    headers = {"Authorization": f"Bearer {OWNER_TOKEN}"}
    answer = httpx2.post(f"{hub.url}/api/models/{filled}/commit/main", content=body, headers=headers)
    assert answer.status_code == 400 and "does not exist" in answer.json()["error"]


def test_cards_are_validated(hub):
    ModelCard("---\nlicense: mit\n---\n# fine\n").validate()
    with pytest.raises((ValueError, BadRequestError), match="license"):
        ModelCard("---\nlicense: my-own\n---\n# not fine\n").validate()


def test_a_space_with_variables(hub):
    api = HfApi(token=OWNER_TOKEN)
    api.create_repo("team/space", repo_type="space", space_sdk="gradio", private=True)
    api.add_space_variable("team/space", "NAME", "value")
    assert api.get_space_variables("team/space")["NAME"].value == "value"
    assert api.space_info("team/space").sdk == "gradio"
    api.delete_repo("team/space", repo_type="space")
    assert not api.repo_exists("team/space", repo_type="space")
