"""Having descriptions written by a language model, and writers compared."""
