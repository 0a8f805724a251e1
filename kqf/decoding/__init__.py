"""From the bytes of a file to labels and pixels."""
