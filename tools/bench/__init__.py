"""Benchmarks of KQF beside other encoders and decoders: ``python tools/benchmark.py NAME``."""
