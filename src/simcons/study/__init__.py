"""What knows about a study as a whole: its params, its results, cost, the stages' door."""
