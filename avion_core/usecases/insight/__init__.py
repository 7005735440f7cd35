"""What came of a run: evaluation, comparison, confusion, maps, predictions; and a project's journal."""
