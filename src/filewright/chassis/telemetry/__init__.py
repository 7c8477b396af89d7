"""What the program tells about itself: log events with fields, and metrics."""
