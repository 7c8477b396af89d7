"""How the parts of the program wake one another up, in one process or across many."""
