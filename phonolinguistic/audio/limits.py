"""What is accepted of a clip, in seconds, Hz and bytes, and the one error that refuses it. Light: imports nothing."""

SAMPLE_RATE = 16_000  # Hz, what every speech network here was trained at
MIN_SECONDS = 0.3
MAX_SECONDS = 30.0  # one answer: Whisper's window
MAX_TIMELINE_SECONDS = 1800.0
MAX_BYTES = 50 * 2**20
MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz
MAX_CHANNELS = 8
MAX_LEVEL = 100.0  # floats lie in [-1, 1]; codecs overshoot on clipped speech (9 was seen), integers do far more
PADDING_SECONDS = 0.05  # an encoder's padding is not the user's


class AudioError(ValueError):
    """The sound cannot be used; the message is one line: what was found, and what is accepted."""


def check_length(seconds: float, max_seconds: float, found: str = "") -> None:
    """Raises AudioError when a clip of `seconds` is too short or too long. found: its format, for the message."""
    found = f" (found: {found})" if found else ""
    accepted = f"accepted: {MIN_SECONDS} to {max_seconds:g} s{found}"
    if seconds < MIN_SECONDS:
        raise AudioError(f"The clip has {seconds:.2f} s; {accepted}.")
    if seconds > max_seconds + PADDING_SECONDS:
        hint = f"; cut it, or ask for a timeline (up to {MAX_TIMELINE_SECONDS:g} s)"
        hint = hint if max_seconds < MAX_TIMELINE_SECONDS else "; cut it"
        raise AudioError(f"The clip is longer than {max_seconds:g} s; {accepted}{hint}.")


def shape_fault(rate, channels: int) -> str | None:
    """Why sound of that rate (Hz) and channel count is not accepted, as a line; None when it is."""
    whole = isinstance(rate, int) or (hasattr(rate, "__index__") and not isinstance(rate, bool))
    if not whole or isinstance(rate, bool) or not MIN_RATE <= rate <= MAX_RATE:
        return f"Sampling rate {rate}; accepted: {MIN_RATE} to {MAX_RATE} Hz."
    if not 1 <= channels <= MAX_CHANNELS:
        return f"{channels} channels; accepted: 1 to {MAX_CHANNELS}."
    return None
