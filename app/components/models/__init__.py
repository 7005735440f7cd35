"""Weights that are installed or can be."""
