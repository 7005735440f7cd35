"""What pages are made of, one folder a subject."""
