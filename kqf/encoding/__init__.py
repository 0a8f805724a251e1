"""From labels and a codebook to the smallest file."""
