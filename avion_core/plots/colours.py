"""The colours of every plot, on pages and in reports."""

CATEGORICAL = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A63B0", "#7F8790")
"""Okabe and Ito's, which keep apart for every kind of colour vision; grey for their black, for dark mode."""
