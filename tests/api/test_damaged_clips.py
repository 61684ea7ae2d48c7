"""Damaged files over HTTP: each ends in an answer or in a line, none in a fault, a hang or a file that stays behind."""

import re
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from gradio import route_utils
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from listening import LevelFrontEnd

import app
from benchmarks.fuzz_audio import mutant
from phonolinguistic import EmotionRecognizer

SEED, MUTANTS = 8, 200
PATIENCE = 30  # seconds, for one clip
CALLERS = 4
ENDINGS = ("wav", "mp3", "ogg", "m4a", "webm", "dat")  # they say nothing about what is in the file
PLACE = re.compile(r"(^|[\s(\"'])/\w+/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The server's temporary folder."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def page(tiny_models, folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("phonolinguistic.recognizer.FrontEnd", LevelFrontEnd)  # so that networks run
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        models = {kind: str(tiny_models / kind) for kind in ("fusion", "multitask", "asr")}
        page = app.serve(
            EmotionRecognizer.from_pretrained(**models),
            prevent_thread_lock=True,
            quiet=True,
            server_name="127.0.0.1",
        )
        yield page
        page.close(verbose=False)


def test_two_hundred_damaged_clips(page, folder, tmp_path, caplog):
    clients = [Client(page.local_url, verbose=False) for _ in range(CALLERS)]

    def send(number):
        recipe, data = mutant(SEED, number)
        file = tmp_path / f"{number}.{ENDINGS[number % len(ENDINGS)]}"
        file.write_bytes(data)
        job = clients[number % CALLERS].submit(clip=handle_file(str(file)), mode="audio", api_name="/recognize")
        try:
            return recipe, job.result(timeout=PATIENCE)
        except AppError as refused:
            return recipe, str(refused)

    with ThreadPoolExecutor(CALLERS) as callers:
        outcomes = list(callers.map(send, range(MUTANTS)))
    kinds = Counter()
    for recipe, found in outcomes:
        if isinstance(found, str):
            kinds["refused"] += 1
            assert "accepted" in found and 20 < len(found) < 400 and "\n" not in found, (recipe, found)
            assert "fault" not in found and not PLACE.search(found), (recipe, found)
        else:
            kinds[found["status"]] += 1
            assert found["status"] == "no_speech" or len(found["scores"]) == 7, recipe
    assert kinds["refused"] > 30 and kinds["ok"] + kinds["uncertain"] > 30, kinds
    assert "Fault" not in caplog.text and "Traceback" not in caplog.text
    # The uploads themselves are kept for the player; they go with the page's own clean-up, and nothing else lies about.
    route_utils.delete_files_created_by_app(page, age=None)
    assert [path for path in folder.rglob("*") if not path.is_dir()] == []
