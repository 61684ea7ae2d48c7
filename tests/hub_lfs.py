"""Large files of the local Hub: batch, single and multipart upload, completion, ranged download; commit operations."""

import base64
import hashlib
import json
import math
import re

from hub_messages import HubError, Request, Response, reply
from hub_store import Repo, Store

MULTIPART_BYTES = 5 * 2**20  # files over it are uploaded in parts of `part_bytes`


def batch(store: Store, request: Request, repo: Repo) -> Response:
    """Git LFS batch: for each object, where to send it; nothing for one that is here already."""
    limit = getattr(store, "multipart_bytes", MULTIPART_BYTES)
    objects = []
    for item in request.json()["objects"]:
        answer = {"oid": item["oid"], "size": item["size"], "authenticated": True}
        if item["oid"] not in store.large:
            upload = {"href": f"{request.base}/lfs/upload/{item['oid']}?signature=local"}
            if item["size"] > limit:
                count = math.ceil(item["size"] / limit)
                urls = {str(n): f"{request.base}/lfs/part/{item['oid']}/{n}" for n in range(1, count + 1)}
                upload = {"href": f"{request.base}/lfs/complete/{item['oid']}"}
                upload["header"] = {"chunk_size": str(limit)} | urls
            answer["actions"] = {"upload": upload, "verify": {"href": f"{request.base}/lfs/verify"}}
        objects.append(answer)
    return reply({"transfer": "basic", "objects": objects})


def storage(store: Store, request: Request, parts: list[str]) -> Response:
    """The addresses that hold bytes: they are signed, so a token that arrives here has leaked."""
    if parts[0] == "cdn":
        if "authorization" in request.headers:
            raise HubError(400, "Only one auth mechanism allowed: the token was sent to the content network")
        if parts[1] not in store.large:
            raise HubError(404, "NoSuchKey")
        return ranged(request, store.large[parts[1]], {"ETag": f'"{parts[1]}"'})
    if parts[1] == "verify":
        payload = request.json()
        if len(store.large.get(payload["oid"], b"")) != payload["size"]:
            raise HubError(404, "Object does not exist or has another size")
        return reply({})
    if parts[1] == "part":
        store.parts.setdefault(parts[2], {})[int(parts[3])] = request.body
        return Response(200, headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
    if parts[1] == "complete":
        received = store.parts.get(parts[2], {})
        wanted = [part["partNumber"] for part in request.json()["parts"]]
        if any(number not in received for number in wanted):
            raise HubError(400, "InvalidPart: a part was not uploaded")
        content = b"".join(received[number] for number in wanted)
    else:
        content = request.body
    if hashlib.sha256(content).hexdigest() != parts[2]:
        raise HubError(400, "The content does not have the announced SHA-256")
    store.large[parts[2]] = content
    store.parts.pop(parts[2], None)
    return reply({})


def ranged(request: Request, content: bytes, headers: dict[str, str]) -> Response:
    """The content, or the range of it that was asked for."""
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        return Response(200, content, dict(headers))
    first, last = asked.groups()
    size = len(content)
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if start >= size:
        raise HubError(416, "Range not satisfiable", Content_Range=f"bytes */{size}")
    return Response(206, content[start : end + 1], headers | {"Content-Range": f"bytes {start}-{end}/{size}"})


def apply(store: Store, files: dict, key: str, value: dict) -> None:
    """One line of a commit's payload onto `files`."""
    if key == "file":
        files[value["path"]] = store.keep(base64.b64decode(value["content"]))
    elif key == "lfsFile":
        if value["oid"] not in store.large:
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
        files[value["path"]] = store.pointer(value["oid"])
    elif key == "deletedFile":
        if files.pop(value["path"], None) is None:
            raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
    elif key == "deletedFolder":
        for path in [p for p in files if p.startswith(value["path"].rstrip("/") + "/")]:
            del files[path]
    elif key != "header":
        raise HubError(400, f"Unknown operation: {json.dumps(key)}")
