"""Heads over frozen encoders, fitted in seconds from cached features."""
