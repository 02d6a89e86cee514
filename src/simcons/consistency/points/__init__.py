"""Point estimates: tables of values without any statement on their precision."""
