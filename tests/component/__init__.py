"""The component model's test suite, and values that cross there and back."""
