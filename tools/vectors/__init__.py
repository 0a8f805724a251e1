"""What the test vectors of the specification are made of."""
