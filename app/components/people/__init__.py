"""Who is here, and who may be."""
