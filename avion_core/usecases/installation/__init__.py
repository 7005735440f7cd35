"""One installation: its folders, backups, checks and its server."""
