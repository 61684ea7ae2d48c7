"""The seven emotions and the four modes, in the order in which every score vector and table lists them."""

# The label set of MELD (Poria et al. 2019): Ekman's six and neutral.
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")

MODES = ("audio", "text", "fusion", "multitask")
