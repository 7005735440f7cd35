"""Use cases that the pages and the command line share, one folder a subject."""
