"""What one does with graphs: build them, look at them, inline calls, give variables values."""
