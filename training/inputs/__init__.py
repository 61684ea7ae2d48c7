"""Rows of the corpora on their way into a network: datasets, batches, augmentation, pairs, cached features."""
