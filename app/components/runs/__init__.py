"""Launching, watching and comparing runs."""
