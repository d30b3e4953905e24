"""What one would use instead."""
