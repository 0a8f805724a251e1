"""From frames to the bytes of an animation."""
