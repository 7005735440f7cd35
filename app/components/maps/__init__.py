"""The alignment map and what is picked on it."""
