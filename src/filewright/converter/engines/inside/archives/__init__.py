"""Archives inside the sandbox: members stream from a reader into a writer through one loop that bounds them.

`member` says what a member is; `unpack` and `pack` have a function per format; `bounds` ends what unpacks to too
much; `names` makes names readable and harmless; `convert` is the door. Archives in archives stay as they are.
"""
