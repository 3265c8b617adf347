"""What the machine gives outputs, temporary files, limits, installed packages; and words where it refuses."""
