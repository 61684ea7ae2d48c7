"""Hub failures in words that say what to do; a token never gets into them."""

import os
from contextlib import contextmanager

from huggingface_hub import get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx

from .package import PublishError

HIDDEN = "<token>"
MIN_SECRET = 4  # a shorter "token" is no secret, and replacing it would mangle the message


def hide_token(text: str, *tokens: str | None) -> str:
    """The text without any token that this process knows of."""
    known = {*tokens, get_token(), os.environ.get("HF_TOKEN"), os.environ.get("HUGGING_FACE_HUB_TOKEN")}
    for token in known:
        if token and len(token) >= MIN_SECRET:
            text = text.replace(token, HIDDEN)
    return text


def describe(error: BaseException, repo_id: str) -> str:
    """One sentence: what the Hub refused, and what to do."""
    chain, seen = error, []
    while chain is not None and chain not in seen:  # lfs uploads wrap the cause once or twice
        if isinstance(chain, (HfHubHTTPError, httpx.HTTPError, LocalTokenNotFoundError)):
            error = chain
            break
        seen.append(chain)
        chain = chain.__cause__ or chain.__context__
    if isinstance(error, LocalTokenNotFoundError):
        return "no token: log in with `hf auth login`, or set HF_TOKEN to a token that may write"
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub client is in offline mode: unset HF_HUB_OFFLINE"
    if isinstance(error, httpx.TransportError):
        return f"the connection to the Hub failed ({type(error).__name__}); run the same command again to go on"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        if status == 401 and not isinstance(error, RepositoryNotFoundError):
            return "the Hub does not accept the token (401): log in again with `hf auth login`"
        if isinstance(error, GatedRepoError):
            return f"{repo_id} is gated: ask for access on its page, then use a token of that account"
        if status == 403:
            return f"the token may not write to {repo_id} (403): use one with write access to that namespace"
        if isinstance(error, RevisionNotFoundError):
            return f"{repo_id} has no such revision (404)"
        if status in (401, 404):
            return f"{repo_id} does not exist, or the token may not see it ({status})"
        if status == 429:
            wait = error.response.headers.get("Retry-After")
            return f"the Hub asks to wait{f' {wait} s' if wait else ''} (429, too many requests); then run it again"
        if status >= 500:
            return f"the Hub has a problem of its own ({status}); run the same command again later"
        return f"the Hub refused ({status}): {error.server_message or error}".splitlines()[0]
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def hub_errors(repo_id: str, *tokens: str | None):
    """Turn what the Hub client raises into a `PublishError`, its cause (which names headers and addresses) left out."""
    try:
        yield
    except (HfHubHTTPError, httpx.HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError) as error:
        message = describe(error, repo_id)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, PublishError):
            raise
        message = describe(error, repo_id)
    else:
        return
    raise PublishError(hide_token(f"{repo_id}: {message}.", *tokens))
