"""Runs as processes: started in a session of their own, told to stop, watched, and taken up again."""
