"""Class descriptions: what they hold, how they are read from files, and whether they speak of an overhead view."""
