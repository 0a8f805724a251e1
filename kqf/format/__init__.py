"""What a file is: bytes, chunks, streams and labels, by the specification."""
