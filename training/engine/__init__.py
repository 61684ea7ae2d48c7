"""What the training loop is made of: building, losses, checkpoints, validation."""
