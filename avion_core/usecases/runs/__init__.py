"""From settings to a training: checks, estimate, the frozen inputs, start, stop and resume."""
