"""Evaluation, confusion and predictions."""
