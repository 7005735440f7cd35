"""Figures that stand without a browser: drawn by matplotlib, as SVG and PNG."""
