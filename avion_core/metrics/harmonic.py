"""The harmonic mean of two accuracies."""

from __future__ import annotations


def harmonic_mean(base: float, novel: float) -> float:
    """HM = 2 B N / (B + N); 0 if either is 0 (docs/method.md section 7)."""
    return 2 * base * novel / (base + novel) if base > 0 and novel > 0 else 0.0
