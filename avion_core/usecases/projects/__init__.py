"""What a project is and holds: its images, labels, classes, descriptions, and what was made of them."""
