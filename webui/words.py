"""Every text that the page shows, in one place. No HTML here except what `views.py` wraps around it."""

TITLE = "PhonoLinguistic"
TAGLINE = "Speech goes in, one of seven emotions comes out: from the voice, the words, or both, each with its cost."

# EU AI Act, Regulation (EU) 2024/1689. Shown beside the clip, before anything can be pressed.
NOTICE_TITLE = "A machine infers emotion from your voice"
NOTICE = (
    "By pressing a button on this page you consent to that, for the clip that you gave (EU AI Act, Art. 50(3)). "
    "Use only your own voice, or a voice whose owner agreed."
)
NOTICE_PROHIBITED = (
    "Using emotion recognition in workplaces and in education is prohibited in the EU (Art. 5(1)(f)), "
    "except for medical or safety reasons."
)
NOTICE_STORED = (
    "Nothing is stored beyond the request. The clip waits in a temporary folder so that you can play it, "
    "and is deleted within 20 minutes."
)

MODE_NAMES = {"audio": "Audio only", "text": "Text only", "fusion": "Fusion", "multitask": "Multi-task"}

MODE_SUMMARIES = {
    "audio": "How it was said. One speech network, no transcript.",
    "text": "What was said. A speech recogniser writes the words, BERT reads them.",
    "fusion": "Both, from two speech networks: one writes the words, the other hears the voice.",
    "multitask": "Both, from one speech network that writes the words and hears the voice in a single pass.",
}

# A person reads "how was that measured" beside the numbers, not in a manual.
STAGE_NAMES = {
    "decode_audio": "Decode the clip",
    "voice_activity": "Find the speech",
    "asr_features": "Recogniser: spectrum",
    "asr_encoder": "Recogniser: encoder",
    "asr_decoder": "Recogniser: decoder",
    "features": "Voice: spectrum",
    "speech_encoder": "Voice: encoder",
    "speech_decoder": "Shared network: decoder",
    "text_encoder": "Read the words (BERT)",
    "heads": "Decide (heads)",
}

STATUS_NAMES = {"ok": "Clear", "uncertain": "Uncertain", "no_speech": "No speech"}

STATUS_EXPLAINED = {
    "ok": "The winning emotion reached the confidence that this model needs before its answer counts.",
    "uncertain": "No emotion reached the confidence that this model needs. What is shown is its best guess, no more.",
    "no_speech": "Nobody was heard speaking, or this mode reads words and heard none: no emotion is claimed.",
}

OTHER_FILE = "Use a webm file, or the sound of a video"
COMPARE_BUTTON = "Compare all four"
COMPARE_SOME_BUTTON = "Compare what is loaded"
COMPARE_HINT = "Record or upload a clip of 0.3 to 30 seconds, or pick an example. Then press “{button}”."
MODE_BUTTON = "Run {name}"
MODE_HINT = "Press “Run {name}” for this mode by itself, or “{button}” on the first tab, which fills this one too."
TYPED_LABEL = "Words to read"
TYPED_HELP = "The transcript appears here. Change a word, or type your own sentence, and read it again."
TYPED_BUTTON = "Read these words"
TYPED_EMPTY = "Type a few words first."
INFLUENCE_TITLE = "Which words moved the answer"
INFLUENCE_HELP = (
    "Each word was left out once. The number is how far the probability of “{emotion}” fell without it, in percentage "
    "points: + means that the word spoke for the answer, \u2212 against it."
)
TIMELINE_BUTTON = "Follow the emotion over time"
TIMELINE_HINT = (
    "For a longer recording, up to 30 minutes. It is cut at the pauses of the speaker, and each piece gets its own "
    "answer. It reads your clip, the one that the other tabs use."
)
TIMELINE_MODE = "Mode"
TIMELINE_CSV = "Download the segments (CSV)"
TIMELINE_EMPTY = "No speech was found in this recording, so there is nothing to draw."

NO_CLIP = "There is no clip yet. Record one, upload one, or pick an example."
GONE_CLIP = "The clip is no longer on the server (clips are deleted within 20 minutes). Please give it again."
FAULT = (
    "This is a fault of the app, not of your {innocent}. Please try once more. If it happens again, tell whoever runs "
    "this page: fault {fault}. The server's log has it under that name."
)
NOT_AVAILABLE = "The loaded models cannot run this mode. Available: {modes}."

# A clip that was answered all the same.
WARNINGS_TITLE = "Your clip was answered, but please note:"
CLIP_LENGTH = "{length}, {speech} of it speech"
CLIP_WITHOUT_SPEECH = "{length}, no speech in it"
YOUR_CLIP = "Your clip: {length}."

# For programs: what they sent in place of a clip.
WAYS_IN = (
    'Upload the file with handle_file("clip.wav"), or give it as a data: URI (docs/api.md has an example of each).'
)
NOT_FETCHED = "The address {address} could not be fetched: {reason}. " + WAYS_IN
FETCH_TOO_SLOW = "it did not answer within {seconds} s"
FETCH_ANSWERED = "it answered with {code} ({phrase})"
FETCH_NO_ADDRESS = "it is not a complete http or https address"
FETCH_TOO_LONG = "one of its parts is too long"
FETCH_BROKEN = "the connection was refused, or broke"
FETCH_REASONS = {
    "failed validation": "its host is not on the public internet, and only public hosts are asked",
    "Unable to resolve": "its host is not known",
    "redirects": "it leads from one address to the next without end",
}
NOT_A_FILE = "The clip must be a file; found: {found}. " + WAYS_IN
NOT_SENT = "The clip is not a file that was sent to this server; paths and file: addresses are not read. " + WAYS_IN
NOT_DATA = "The data: URI cannot be read; accepted: data:audio/wav;base64, followed by the file in base64."
DATA_TOO_LARGE = "The data: URI holds more than {limit} MB; accepted: at most {limit} MB."
TOO_FEW_VALUES = "Too few values: this call takes {needed}; found: {found}. “Use via API” on the page shows them."

TIMING_NOTE = (
    "Measured in this very run on {device} with {threads} thread{plural}. In Compare each network runs once, and each "
    "mode is charged the sum of the stages that it would need alone."
)

ABOUT_MODELS = "What is loaded"
ABOUT_METRICS = "How well it does"
ABOUT_RESULTS = "On data that training did not see. UAR: mean recall over the emotions. In small type: 95 % interval"
ABOUT_GROUPS = "Results by group of speakers"
ABOUT_MORE = "Everything else in metrics.json"
ABOUT_NO_METRICS = "This model came without a metrics file."
ABOUT_LIMITS = "Limits of use"
LIMITS = (
    "The voice part of the embedded release learned from acted speech in North American English (RAVDESS, TESS): "
    "trained actors who say a few fixed sentences in studio quality. Everyday speech is quieter, mixed and noisier. "
    "Expect clearly worse answers there.",
    "Its text part learned from English written online and from the subtitles of one television series. "
    "Irony, dialects and other languages are outside of what it knows.",
    "An expression is not a feeling. The answer says which of seven labels the sound and the words resemble, "
    "not what a person feels, means or will do.",
    "Performance differs between speakers, ages, accents and recording devices, and was not measured for most groups.",
    "Not for decisions about people: no hiring, grading, policing, insurance, diagnosis or lie detection.",
)
ABOUT_PRIVACY = "Your data"
PRIVACY = (
    "The page asks no other host for anything: no fonts, scripts, analytics or trackers.",
    "No account, no cookie of ours, no history. The clip is deleted within 20 minutes; answers never reach a disk.",
    "The operator of a copy of this page is responsible for the duties of a deployer under the EU AI Act and the GDPR.",
)
ABOUT_API = "Call it from a program"
API_TEXT = (
    "Four endpoints return plain JSON: /compare, /recognize, /timeline and /model_info. "
    "“Use via API” at the foot of the page shows each call; the same four are MCP tools at gradio_api/mcp/."
)
