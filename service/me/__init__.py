"""The account of whoever asks."""
