"""From speech states over time to one vector a clip: masked statistics, in float32, the same alone as in a batch."""

import torch
from torch import nn
from torch.nn import functional as F

SMOOTH_FRAMES = 5  # of 10 ms


def masked_statistics(x: torch.Tensor, mask: torch.Tensor, deviation: bool) -> list[torch.Tensor]:
    """Mean, and standard deviation if asked, over time. x: (batch, time, size), mask: (batch, time), 1 = real."""
    weights = mask[:, :, None].to(x.dtype)
    count = weights.sum(1).clamp(min=1)
    mean = (x * weights).sum(1) / count
    if not deviation:
        return [mean]
    variance = ((x - mean[:, None]).square() * weights).sum(1) / count
    return [mean, (variance + 1e-8).sqrt()]


def active_frames(log_mel: torch.Tensor, mask: torch.Tensor, range_db: float) -> torch.Tensor:
    """Which frames are loud enough to be speech: their power, averaged over 50 ms, is within `range_db` of the loudest.

    log_mel: (batch, bins, frames) as Whisper scales it, (log10 power + 4) / 4; mask: (batch, frames), 1 = real.
    Returns (batch, frames) bool; every real frame of a clip that is the same throughout.
    """
    power = torch.pow(10.0, 4 * log_mel.float() - 4).sum(1) * mask.to(torch.float32)
    power = F.avg_pool1d(power[:, None], SMOOTH_FRAMES, stride=1, padding=SMOOTH_FRAMES // 2)[:, 0]
    power = power * mask.to(torch.float32)
    return (power >= power.amax(1, keepdim=True) * 10 ** (-range_db / 10)) & mask.bool()


class SpeechPooling(nn.Module):
    """Masked pooling of a speech encoder's hidden states, and of the log-mel spectrum if asked.

    Args:
        hidden_size: size of a hidden state.
        num_states: how many hidden states the encoder gives (layers + 1).
        pooled_layers: indices of the states that are pooled and joined; None: one learned weighted sum of all
            (softmax weights; Yang et al. 2021, SUPERB, section 3).
        pooling: "mean" or "mean_std".
        spectrum_bins: log-mel bins whose statistics are joined too; 0: none.
        active_db: leave out frames more than this many dB below the loudest (log-mel input only): how long a clip is
            silent, and what its room sounds like then, says nothing about the speaker's mood. None: all frames.
        spectrum_mean: False: only the deviation of the spectrum is joined; its mean is the microphone's colour first.

    The result is standardised with the buffers `feature_mean` and `feature_std` (identity until fitted on training
    clips), so that a linear head sees features of one scale.
    """

    def __init__(
        self,
        hidden_size: int,
        num_states: int,
        pooled_layers: list[int] | None = None,
        pooling: str = "mean",
        spectrum_bins: int = 0,
        active_db: float | None = None,
        spectrum_mean: bool = True,
    ):
        super().__init__()
        if pooled_layers is not None and not all(0 <= i < num_states for i in pooled_layers):
            raise ValueError(f"pooled_layers {pooled_layers}; accepted: 0 to {num_states - 1}.")
        self.pooled_layers, self.deviation, self.spectrum_bins = pooled_layers, pooling == "mean_std", spectrum_bins
        self.active_db, self.spectrum_mean = active_db, spectrum_mean
        if pooled_layers is None:
            self.layer_weights = nn.Parameter(torch.zeros(num_states))
        states = 1 if pooled_layers is None else len(pooled_layers)
        statistics = 2 if self.deviation else 1
        self.output_size = states * hidden_size * statistics + spectrum_bins * (statistics - (not spectrum_mean))
        self.register_buffer("feature_mean", torch.zeros(self.output_size))
        self.register_buffer("feature_std", torch.ones(self.output_size))

    def statistics(
        self,
        hidden_states: tuple[torch.Tensor, ...],
        mask: torch.Tensor,
        input_features: torch.Tensor | None = None,
        input_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Pooled features before they are standardised, (batch, output_size), float32."""
        with torch.autocast(mask.device.type, enabled=False):
            kept = None
            if self.spectrum_bins or self.active_db is not None:
                spectrum = input_features.float()
                kept = torch.ones_like(spectrum[:, 0]) if input_mask is None else input_mask
            if self.active_db is not None:
                kept = active_frames(spectrum, kept, self.active_db)
                step = -(-kept.shape[1] // mask.shape[1])
                active = kept[:, ::step] & mask.bool()
                # A sound shorter than a step may fall between two states: then all of them count.
                mask = torch.where(active.any(1, keepdim=True), active, mask.bool())
            if self.pooled_layers is None:
                weights = self.layer_weights.float().softmax(0)
                chosen = [sum(w * h.float() for w, h in zip(weights, hidden_states, strict=True))]
            else:
                chosen = [hidden_states[i].float() for i in self.pooled_layers]
            parts = [s for h in chosen for s in masked_statistics(h, mask, self.deviation)]
            if self.spectrum_bins:
                parts += masked_statistics(spectrum.transpose(1, 2), kept, self.deviation)[not self.spectrum_mean :]
            return torch.cat(parts, 1)

    def forward(
        self,
        hidden_states: tuple[torch.Tensor, ...],
        mask: torch.Tensor,
        input_features: torch.Tensor | None = None,
        input_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Standardised features.

        Args:
            hidden_states: each (batch, time, hidden_size); mask: (batch, time), 1 = real.
            input_features, input_mask: (batch, bins, frames) and (batch, frames), for the spectrum's statistics.

        Returns:
            (batch, output_size) float32.
        """
        raw = self.statistics(hidden_states, mask, input_features, input_mask)
        return (raw - self.feature_mean.float()) / self.feature_std.float()
