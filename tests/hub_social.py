"""The rest of the local Hub's protocol: who am I, card validation, collections."""

import re

import yaml
from hub_messages import HubError, Request, Response, reply
from hub_store import Store, now

LICENSES = {"apache-2.0", "mit", "cc-by-nc-sa-4.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0", "other", "unknown"}
SDKS = {"gradio", "docker", "static"}
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
PIPELINE_TAGS = {"audio-classification", "text-classification", "automatic-speech-recognition", "feature-extraction"}
PAIRS = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def front_matter(text: str) -> dict | None:
    """The YAML block at the top of a README, or None when there is none or it is not a mapping."""
    found = PAIRS.match(text)
    if found is None:
        return None
    try:
        data = yaml.safe_load(found.group(1))
    except yaml.YAMLError:
        return None
    return data if isinstance(data, dict) else None


def whoami(request: Request) -> Response:
    if request.user is None:
        raise HubError(401, "Invalid username or password.")
    role = "write" if request.user.can_write else "read"
    organisations = [{"type": "org", "name": n, "roleInOrg": "admin"} for n in request.user.organisations]
    token = {"displayName": "local", "role": role}
    auth = {"type": "access_token", "accessToken": token}
    return reply({"type": "user", "name": request.user.name, "orgs": organisations, "auth": auth})


def validate_card(request: Request) -> Response:
    """What the Hub's validator checks that matters here: known licence, SDK, colours, tags, and model-index shape."""
    payload = request.json()
    data, errors, warnings = front_matter(payload["content"]), [], []
    if data is None:
        if payload["content"].startswith("---"):
            errors.append("invalid YAML in the metadata block")
        else:
            warnings.append("empty or missing yaml metadata in repo card")
        data = {}
    licence = data.get("license")
    if licence is not None and licence not in LICENSES:
        errors.append(f'"license" must be one of {sorted(LICENSES)}')
    if payload.get("repoType") == "space":
        if data.get("sdk") not in SDKS:
            errors.append(f'"sdk" must be one of {sorted(SDKS)}')
        for key in ("colorFrom", "colorTo"):
            if key in data and data[key] not in COLOURS:
                errors.append(f'"{key}" must be one of {sorted(COLOURS)}')
        if len(str(data.get("short_description", ""))) > 60:
            errors.append('"short_description" length must be less than or equal to 60 characters long')
    if data.get("pipeline_tag") is not None and data["pipeline_tag"] not in PIPELINE_TAGS:
        warnings.append(f'The pipeline tag "{data["pipeline_tag"]}" is not in the official list')
    for entry in data.get("model-index") or []:
        for i, result in enumerate(entry.get("results", [])):
            if not result.get("task", {}).get("type"):
                errors.append(f'"model-index[0].results[{i}].task.type" is required')
            if not {"type", "name"} <= set(result.get("dataset", {})):
                errors.append(f'"model-index[0].results[{i}].dataset" needs type and name')
            if not all("type" in m and "value" in m for m in result.get("metrics", [])):
                errors.append(f'"model-index[0].results[{i}].metrics" need type and value')
    answer = {"errors": [{"message": e} for e in errors], "warnings": [{"message": w} for w in warnings]}
    return reply(answer, 400 if errors else 200)


def collections(store: Store, request: Request, parts: list[str]) -> Response:
    """Create one, read one, or add an item."""
    if request.method == "POST" and not parts:
        payload, user = request.json(), request.user
        if user is None or payload["namespace"] not in (user.name, *user.organisations):
            raise HubError(403, "You can't create a collection there")
        slug = f"{payload['namespace']}/{re.sub(r'[^a-z0-9]+', '-', payload['title'].lower())}-{'0' * 24}"
        if slug in store.collections:
            return reply({"error": "already exists", "slug": slug}, 409)
        owner = {"name": payload["namespace"], "type": "user"}
        found = {"slug": slug, "title": payload["title"], "owner": owner, "items": [], "lastUpdated": now()}
        found |= {"position": 0, "private": payload["private"], "theme": "blue", "upvotes": 0}
        found["description"] = payload.get("description")
        store.collections[slug] = found
        return reply(found)
    slug = "/".join(parts[:2])
    if slug not in store.collections:
        raise HubError(404, "Collection not found")
    found = store.collections[slug]
    if request.method == "POST" and parts[2:] in (["items"], ["item"]):
        item = request.json()["item"]
        if any(i["id"] == item["id"] and i["type"] == item["type"] for i in found["items"]):
            return reply({"error": "already there"}, 409)
        found["items"].append({"_id": f"{len(found['items']):024x}", "position": len(found["items"])} | item)
    return reply(found)
