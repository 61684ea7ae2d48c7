"""Ways in: paths, pipes, standard input, devices and file objects; each is read once, and none hangs."""

import errno
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from phonolinguistic.audio import sources
from phonolinguistic.audio.decoding import MAX_BYTES, AudioError, load_audio
from phonolinguistic.audio.sources import read_path, shown

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wav() -> bytes:
    out = io.BytesIO()
    t = np.arange(16_000) / 16_000
    sf.write(out, 0.2 * np.sin(2 * np.pi * 220 * t), 16_000, format="WAV")
    return out.getvalue()


@pytest.fixture
def fifo(tmp_path) -> Path:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    return path


def refused(source, **how) -> str:
    with pytest.raises(AudioError) as caught:
        read_path(source, **how)
    message = str(caught.value)
    assert "\n" not in message and "accepted" in message and len(message) < 400
    return message


def test_home(tmp_path, monkeypatch, wav):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.wav").write_bytes(wav)
    assert load_audio("~/a.wav").seconds == 1.0


@pytest.mark.parametrize("url", ["http://h/a.wav", "https://h/a.wav", "file:///a.wav", "s3://b/a.wav", "HTTP://H/a"])
def test_urls_are_not_read(url):
    message = refused(url)
    assert message.startswith(f"URLs ({url.split(':')[0]}:) are not read") and "bytes" in message


def test_names_that_no_file_can_have(tmp_path):
    assert "File name too long" in refused(str(tmp_path / ("n" * 300 + ".wav")))
    assert "File name too long" in refused("x/" * 5000)
    assert "null byte" in refused(str(tmp_path / "a\0b.wav"))
    assert "path is empty" in refused("")
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    assert refused(loop).startswith("loop.wav cannot be read: Too many levels")
    file = tmp_path / "file"
    file.touch()
    assert refused(file / "a.wav").startswith("a.wav: no such file")


def test_messages_name_the_file_and_not_its_folder(tmp_path, wav):
    odd = tmp_path / os.fsdecode(b"Gespr\xe4ch\n\x1b[31m.wav")
    odd.write_bytes(wav)
    assert load_audio(odd).seconds == 1.0
    odd.unlink()
    for message in (refused(odd), refused(tmp_path), refused(tmp_path / "gone.wav")):
        assert str(tmp_path.parent) not in message
        message.encode("utf-8")  # can be printed
    assert shown(str(odd)) == "Gespr?ch??[31m.wav"
    assert len(shown("n" * 5000)) <= sources.SHOWN_NAME


def test_a_file_that_may_not_be_read(tmp_path, wav, monkeypatch):
    path = tmp_path / "secret.wav"
    path.write_bytes(wav)

    def refuse(*_):  # as the system does to anybody but root, who may run this test
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(sources.os, "open", refuse)
        message = refused(path)
    assert message.startswith("secret.wav cannot be read: Permission denied")


def test_a_fifo_is_read_once_as_it_comes(fifo, wav):
    def write():
        with fifo.open("wb") as out:
            for start in range(0, len(wav), 5000):
                out.write(wav[start : start + 5000])
                out.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    assert load_audio(fifo).seconds == 1.0
    writer.join()


def test_a_fifo_that_says_nothing(fifo):
    start = time.monotonic()
    assert refused(fifo, idle_seconds=0.3).startswith("pipe.wav gave no data in 0.3 s")
    assert time.monotonic() - start < 5


def test_a_writer_that_falls_silent(fifo):
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with fifo.open("wb") as out:
        os.close(reader)
        second = threading.Timer(0.1, lambda: (out.write(b"RIFF"), out.flush()))
        second.start()
        assert refused(fifo, idle_seconds=0.5).startswith("pipe.wav went silent for 0.5 s after 4 bytes")
        second.join()


def test_a_writer_that_drips_for_ever(fifo):
    stop = threading.Event()

    def drip():
        with fifo.open("wb", buffering=0) as out:
            while not stop.wait(0.02):
                try:
                    out.write(b"x")
                except BrokenPipeError:
                    return

    writer = threading.Thread(target=drip)
    writer.start()
    assert "still sending after 0.5 s" in refused(fifo, stream_seconds=0.5)
    stop.set()
    writer.join()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device")
def test_devices_are_bounded():
    assert refused("/dev/zero") == "zero has over 50 MB; accepted: at most 50 MB."
    assert read_path("/dev/null") == b""
    with pytest.raises(AudioError, match="empty"):
        load_audio("/dev/null")


CODE = "import sys; from phonolinguistic.audio.decoding import load_audio; print(load_audio(sys.argv[1]).seconds)"


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input(name, wav, tmp_path):
    command = [sys.executable, "-c", CODE, name]
    assert float(subprocess.run(command, input=wav, cwd=ROOT, capture_output=True, check=True).stdout) == 1.0
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    with path.open("rb") as file:
        assert float(subprocess.run(command, stdin=file, cwd=ROOT, capture_output=True, check=True).stdout) == 1.0
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], cwd=ROOT, capture_output=True, text=True)
    assert closed.returncode == 1 and "AudioError" in closed.stderr


def test_process_substitution(wav, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    command = ["bash", "-c", f'"{sys.executable}" -c "{CODE}" <(cat "{path}")']
    assert float(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout) == 1.0


def test_standard_input_that_was_replaced(monkeypatch, wav):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(wav)))
    assert load_audio("-").seconds == 1.0
    monkeypatch.setattr(sys, "stdin", None)
    assert "Standard input is closed" in refused("-")


class Dribble(io.RawIOBase):
    """A raw stream that gives a little at a time."""

    def __init__(self, data: bytes):
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._file.readinto(memoryview(buffer)[:1000])


class Endless:
    def read(self, size: int) -> bytes:
        return bytes(min(size, 1 << 20))


def test_file_objects(wav, tmp_path):
    assert load_audio(io.BytesIO(wav)).seconds == load_audio(Dribble(wav)).seconds == 1.0
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    with path.open(encoding="utf-8") as text, pytest.raises(AudioError, match="text mode"):
        load_audio(text)
    with pytest.raises(AudioError, match="cannot be read: .*closed file"):
        load_audio(text.buffer)
    with pytest.raises(AudioError, match="over 50 MB"):
        load_audio(Endless())
    write_only = path.open("wb")
    with write_only, pytest.raises(AudioError, match="cannot be read"):
        load_audio(write_only)


def test_a_large_file_is_told_with_its_size(tmp_path):
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 2)
    assert refused(path) == "large.wav has 100 MB; accepted: at most 50 MB."


def test_the_list_of_formats_needs_no_decoder():
    code = (
        "import sys; import phonolinguistic.audio.formats as f; assert '.wav' in f.SUFFIXES; print('av' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
