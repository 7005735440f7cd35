"""Distilling the teacher into the student's prompts: losses, the loop, and what it leaves behind."""
