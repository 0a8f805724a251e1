"""From pixels to a codebook and the nearest labels."""
