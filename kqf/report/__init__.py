"""How KQF compares with other formats, as tables and pages."""
