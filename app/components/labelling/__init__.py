"""The grid in which images are labelled."""
