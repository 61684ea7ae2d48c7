"""Several training runs in the processes of one `accelerate launch`; see train_kit.launch_two."""

import json
import sys
from pathlib import Path

import torch

from training.config import load_settings
from training.train import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        train(load_settings(job["config"], job["overrides"]), Path(job["out"]), progress=False)
