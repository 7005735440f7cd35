"""Jobs of every kind: their list, one of them, and starting one."""
