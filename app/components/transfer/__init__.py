"""Descriptions and verdicts in and out."""
