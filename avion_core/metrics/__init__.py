"""Figures of merit, each a pure function of tensors."""
