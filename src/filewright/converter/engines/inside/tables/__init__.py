"""Tables inside the sandbox: every format is read into `Table`s and written from them.

`convert` is the door; `table` says what a table is; one module per kind of source or target does the rest.
"""
