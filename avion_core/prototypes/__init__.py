"""Teacher prototypes: which descriptions of a class are kept, how they weigh, and what they make together."""
