"""The one list of accepted formats: for `load_audio`, folders, the page and the manual. Light: imports nothing."""

FORMATS = "wav, flac, mp3, ogg/opus, m4a/aac, webm, aiff, au, caf, amr, or the sound track of mp4, mov or mkv"

# File endings by which a folder's sound files are known; lower case, with the dot. What counts is what is inside.
SUFFIXES = (
    ".wav",
    ".wave",
    ".w64",
    ".rf64",
    ".flac",
    ".mp3",
    ".ogg",
    ".oga",
    ".opus",
    ".m4a",
    ".aac",
    ".webm",
    ".weba",
    ".aif",
    ".aiff",
    ".aifc",
    ".au",
    ".snd",
    ".caf",
    ".amr",
    ".3gp",
    ".mp4",
    ".m4v",
    ".mov",
    ".mka",
    ".mkv",
)

# FFmpeg's demuxers that may open an upload: no playlists, which would make it open other files and hosts.
DEMUXERS = "wav,w64,aiff,au,caf,flac,mp3,ogg,mov,mp4,m4a,3gp,matroska,webm,aac,amr"

# What people bring by mistake, by its first bytes.
_OTHERS = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"0&\xb2u\x8ef\xcf\x11": "Windows Media (wma)",
    b"MThd": "MIDI notes",
    b"#!SILK": "SILK of a messenger",
    b"\x02#!SILK": "SILK of a messenger",
    b"#EXTM3U": "a playlist",
    b"version https://git-lfs": "a Git LFS pointer instead of the file",
}
_KNOWN = {
    b"RIFF": "a wav",
    b"OggS": "an ogg",
    b"fLaC": "a flac",
    b"\x1aE\xdf\xa3": "a webm/mkv",
    b"FORM": "an aiff",
    b"ID3": "an mp3",
}


def looks_like(data: bytes) -> str:
    """What a file that no demuxer knows seems to be, in a few words."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, name in _OTHERS.items():
        if data.startswith(magic) or head.startswith(magic):
            return name
    if head[:9].lower() == b"<!doctype" or head[:5].lower() in (b"<html", b"<?xml"):
        return "a web page or XML (a download that failed?)"
    if head and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head):
        return "text"
    if data[4:8] in (b"ftyp", b"mdat", b"free", b"wide", b"skip"):
        return "mp4/m4a without its index (moov), which writers put last: the end of the file is missing"
    for magic, name in _KNOWN.items():
        if data.startswith(magic):
            return f"the beginning of {name}, damaged or cut too early"
    return "unknown data"
