"""What the machine gives: outputs, temporary files, limits, installed packages; and words for what it refuses."""
