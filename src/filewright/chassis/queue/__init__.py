"""Tasks: hints that some row wants work. The rows are the truth; a hint may be lost, late or doubled at no cost."""
