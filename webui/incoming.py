"""What arrives over HTTP before a handler sees it: clips by upload, by address and as data: URIs.

Gradio answers a failed fetch or a value of the wrong kind with an error that has no text. Here each becomes a line that
says what was found and what to do instead, and whatever else fails gets an id that is in the log.
"""

import asyncio
import errno
import os
import re
import shutil
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import gradio as gr
import httpx
from gradio import processing_utils
from gradio.exceptions import InvalidPathError
from gradio_client.exceptions import AppError
from gradio_client.utils import is_http_url_like

from phonolinguistic.audio.decoding import MAX_BYTES

from . import words
from .guard import report_fault

FETCH_SECONDS = 20  # for an address, redirects and all
SHOWN_CHARACTERS = 120  # of an address, in a refusal
LONGEST_PATH, LONGEST_NAME = 4096, 255  # bytes, of any file system that a server runs on
_FILE = {"_type": "gradio.FileData"}


class GuardedBlocks(gr.Blocks):
    """gr.Blocks whose every failure has a text. Both methods are Gradio's; an AppError's text reaches the caller."""

    async def preprocess_data(self, block_fn, inputs, *arguments, **options):
        """Check each clip before Gradio does, and say why where Gradio cannot have it. Raises gr.Error."""
        if len(inputs) < len(block_fn.inputs):
            raise refusal(words.TOO_FEW_VALUES.format(needed=len(block_fn.inputs), found=len(inputs)))
        received = list(inputs)
        for i, block in enumerate(block_fn.inputs):
            if isinstance(block, gr.Audio):
                received[i] = await asyncio.to_thread(_as_file, received[i], self.GRADIO_CACHE)
        address = next((url for value in received if (url := _address(value))), None)
        try:
            work = super().preprocess_data(block_fn, received, *arguments, **options)
            return await (asyncio.wait_for(work, FETCH_SECONDS) if address else work)
        except AppError:
            raise
        except InvalidPathError as error:
            raise refusal(words.NOT_SENT) from error
        except Exception as error:  # a fetch of Gradio's raises bare exceptions, too
            if address is None:
                raise
            folder = Path(self.GRADIO_CACHE) / processing_utils.hash_url(address)
            shutil.rmtree(folder, ignore_errors=True)  # made before the fetch began
            shown = address if len(address) <= SHOWN_CHARACTERS else address[:SHOWN_CHARACTERS] + "…"
            raise refusal(words.NOT_FETCHED.format(address=shown, reason=_why(error))) from error

    async def process_api(self, *arguments, **options):
        """As in Gradio; what fails without a text of its own is a fault of ours."""
        try:
            return await super().process_api(*arguments, **options)
        except AppError:
            raise
        except Exception as error:
            raise refusal(report_fault("a call", error)) from error


def forget_uploads_of_agents(page: gr.Blocks) -> None:
    """Let the clips that come through MCP as data: URIs be deleted with all others; Gradio keeps no account of them."""
    server = page.mcp_server_obj
    convert = server.convert_strings_to_filedata

    def convert_and_note(value, positions):
        converted = convert(value, positions)
        files = [item["path"] for item in converted.values() if isinstance(item, dict) and item.get("meta") == _FILE]
        page.upload_file_set.update(path for path in files if not is_http_url_like(path))
        return converted

    server.convert_strings_to_filedata = convert_and_note


def refusal(text: str) -> gr.Error:
    """What a program's caller is told; the log needs no traceback of it."""
    return gr.Error(text, print_exception=False)


def _as_file(value, cache: str) -> dict | None:
    """What was sent in place of a clip -> Gradio's description of a file, with no more in it than is used."""
    if value is None:
        return None
    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(path, str) or value.get("meta") != _FILE:
        raise refusal(words.NOT_A_FILE.format(found="nothing" if value == "" else type(value).__name__))
    if path.startswith("data:"):
        path = _saved(path, cache)
    if not is_http_url_like(path) and not _can_be_a_path(path):
        raise refusal(words.NOT_SENT)
    name = value.get("orig_name")
    return {"path": path, "orig_name": name if isinstance(name, str) else None, "meta": _FILE}


def _can_be_a_path(text: str) -> bool:
    """Whether the system could be asked about it at all; otherwise the question itself fails."""
    try:
        names = os.fsencode(text).split(b"/")
    except UnicodeEncodeError:
        return False
    return "\0" not in text and sum(map(len, names)) < LONGEST_PATH and max(map(len, names)) <= LONGEST_NAME


def _saved(uri: str, cache: str) -> str:
    """The bytes of a data: URI, in a file among the uploads, with which it is deleted."""
    if len(uri) > MAX_BYTES * 3:  # percent-encoded, the longest way to write them
        raise refusal(words.DATA_TOO_LARGE.format(limit=MAX_BYTES >> 20))
    try:
        with urlopen(uri) as file:  # no connection: the library's own reader of data: URIs
            data = file.read()
    except (ValueError, URLError):
        raise refusal(words.NOT_DATA) from None
    if len(data) > MAX_BYTES:
        raise refusal(words.DATA_TOO_LARGE.format(limit=MAX_BYTES >> 20))
    return processing_utils.save_bytes_to_cache(data, "clip", cache)


def _address(value) -> str | None:
    path = value.get("path") if isinstance(value, dict) else None
    return path if isinstance(path, str) and is_http_url_like(path) else None


def _why(error: Exception) -> str:
    """Why Gradio's fetch failed. It says so in words alone, which the tests hold it to."""
    text = str(error)
    if isinstance(error, (asyncio.TimeoutError, httpx.TimeoutException)):
        return words.FETCH_TOO_SLOW.format(seconds=FETCH_SECONDS)
    if found := re.search(r"Status code: (\d{3})", text):
        known = {status.value: status.phrase for status in HTTPStatus}
        return words.FETCH_ANSWERED.format(code=found[1], phrase=known.get(int(found[1]), "no known meaning"))
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # Gradio asks first whether it is a file
        return words.FETCH_TOO_LONG
    for sign, reason in words.FETCH_REASONS.items():
        if sign in text:
            return reason
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError)):
        return words.FETCH_NO_ADDRESS
    return words.FETCH_BROKEN
