"""Our text head as a plain `BertForSequenceClassification`, with the same logits.

The stock class reads one token through a tanh; our head is linear on the mean over all tokens. One more BERT layer
makes up for it: its queries and keys are zero, so its attention is the mean over the real tokens; its values are the
head itself; and what the layer adds around it (residual, two layer norms, the pooler's tanh) is brought down to
rounding error by scale. The mean of a linear map is the linear map of the mean, so nothing is approximated but digits.
"""

import math

import torch
from transformers import BertForSequenceClassification

from .package import PublishError

SIGNAL = 1e7  # logits are lifted this far over the residual that the layer adds to them
CARRIER = 1000.0  # constant channels, in units of a logit: they fix the layer norm's scale, whatever the logits are
PRESSURE = 0.01  # keeps the pooler's tanh where it is straight: tanh(x) = x - x^3 / 3


class StockExportError(PublishError):
    """The stock class cannot express this model; the message says what differs."""


@torch.no_grad()
def stock_text(model) -> BertForSequenceClassification:
    """A `BertForSequenceClassification` with the text logits of a `PhonoLinguisticModel`, divided by its temperature.

    Raises:
        StockExportError: the text head has a hidden layer, or the encoder is no BERT.
    """
    config = model.config
    if config.text_config.model_type != "bert":
        raise StockExportError(f"The text encoder is {config.text_config.model_type}; accepted for export: bert.")
    if not isinstance(model.text_head, torch.nn.Linear) or not isinstance(model.text_projection, torch.nn.Identity):
        raise StockExportError(
            "The text head has a hidden layer (head_hidden_size), which BertForSequenceClassification has no place "
            "for; accepted: a linear head (head_hidden_size 0)."
        )
    temperature = config.temperatures.get("text", 1.0)
    weight, bias = model.text_head.weight.float() / temperature, model.text_head.bias.float() / temperature
    averaged = config.text_pooling == "mean"
    settings = config.text_config.to_dict() | {
        "architectures": ["BertForSequenceClassification"],
        "id2label": config.id2label,
        "label2id": config.label2id,
        "problem_type": "single_label_classification",
        "num_hidden_layers": config.text_config.num_hidden_layers + averaged,
        "dtype": "float32",
    }
    settings.pop("_name_or_path", None)  # where the encoder lay on this machine
    stock = BertForSequenceClassification(type(config.text_config).from_dict(settings)).eval()
    stock.bert.load_state_dict(model.text.float().state_dict(), strict=False)
    if averaged:
        scale = _average(stock.bert.encoder.layer[-1], weight, bias)
        _read_out(stock, len(weight), scale)
    else:
        stock.classifier.weight.copy_(weight)
        stock.classifier.bias.copy_(bias)
    return stock


def _average(layer, weight: torch.Tensor, bias: torch.Tensor) -> float:
    """Make the layer write (logits, -logits, constants) to every token; returns what its layer norm divides by."""
    classes, size = weight.shape
    if size < 2 * classes + 2:
        raise StockExportError(f"The text encoder's width is {size}; accepted for export: {2 * classes + 2} or more.")
    for module in (layer.attention.self.query, layer.attention.self.key, layer.intermediate.dense, layer.output.dense):
        module.weight.zero_()
        module.bias.zero_()
    for norm in (layer.attention.output.LayerNorm, layer.output.LayerNorm):
        norm.weight.fill_(1.0)
        norm.bias.zero_()
    value, dense = layer.attention.self.value, layer.attention.output.dense
    for tensor in (value.weight, value.bias, dense.weight, dense.bias):
        tensor.zero_()
    # Logits and their negatives: together they leave the layer norm's mean alone.
    value.weight[: 2 * classes] = torch.cat([weight, -weight])
    value.bias[: 2 * classes] = torch.cat([bias, -bias])
    dense.weight[range(2 * classes), range(2 * classes)] = SIGNAL
    constants = size - 2 * classes
    signs = torch.ones(constants)
    signs[1::2] = -1
    signs[-1] *= constants % 2 == 0  # an odd one out stays zero, so that they sum to zero
    dense.bias[2 * classes :] = SIGNAL * CARRIER * signs
    return CARRIER * math.sqrt(int(signs.abs().sum()) / size)


def _read_out(stock: BertForSequenceClassification, classes: int, scale: float) -> None:
    """Pooler and classifier: half the difference of logits and negatives, out of the layer norm's scale."""
    pooler = stock.bert.pooler.dense
    pooler.weight.zero_()
    pooler.bias.zero_()
    rows = range(classes)
    pooler.weight[rows, rows] = PRESSURE / 2
    pooler.weight[rows, range(classes, 2 * classes)] = -PRESSURE / 2
    stock.classifier.weight.zero_()
    stock.classifier.bias.zero_()
    stock.classifier.weight[rows, rows] = scale / PRESSURE
