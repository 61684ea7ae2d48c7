"""Sound on its way to the networks: decoding, mixing, voice activity, cutting."""

from .decoding import AudioError, Clip, load_audio

__all__ = ["AudioError", "Clip", "load_audio"]
