"""What people and runs did: projects, descriptions, verdicts, runs and looks, kept in SQL."""
