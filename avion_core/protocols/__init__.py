"""Few-shot and base-to-novel: what a run trains on, what it is measured on, and the baselines beside it."""
