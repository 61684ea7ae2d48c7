"""Sound on its way to the networks: decoding, mixing, voice activity, cutting."""

_HOMES = {"AudioError": "limits", "Clip": "decoding", "load_audio": "decoding"}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    """Import on first use: the list of formats is had without FFmpeg."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
