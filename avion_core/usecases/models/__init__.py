"""Towers opened once per process, and the weights that are installed."""
