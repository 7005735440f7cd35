"""Having descriptions written, and writers compared."""
