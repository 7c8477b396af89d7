"""What operators run inside the sandbox. Never imported by the process that starts it, but by its name."""
