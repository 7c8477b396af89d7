"""What can be done with files beside converting them: merge, split, rotate, … Knows nothing of jobs or HTTP.

`port.py` says what an operation is and who carries one out, `standard.py` lists those, `offers.py` finds out what an
order means, `chains.py` carries it out, and `inside/` is what runs in the sandbox.
"""
