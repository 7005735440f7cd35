"""Publication capsules: what figures were made from, but for images and weights, in one archive (docs/capsule.md)."""
