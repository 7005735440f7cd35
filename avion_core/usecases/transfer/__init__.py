"""What travels between studios: files of descriptions, packs of projects, packs for review, moved images."""
