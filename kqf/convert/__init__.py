"""Files converted to KQF and back, one or many."""
