"""What pages are put together from; each draws one thing and knows no use case."""
