"""Projects, their classes and how their rasters are rendered."""
