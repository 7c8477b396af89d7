"""The distributed shape on one machine, from real processes: `filewright stack up|status|scale|restart|logs|down`.

Knows programs, ports, probes and signals, and nothing of the product's insides: `roles` is the one table that says how
a role of the product is started. Reads downwards:

- `commands` is what a person types; `operations` is what each command does, by `supervising` and `waiting`; `status` is
  how everything is, and `showing` says it to a person.
- `planning` turns a shape (so many of each role) into a `plan`: every process with its arguments, probe and order.
- `supervisor` makes the machine look like the plan and keeps it so; `keeper` keeps one process, `front` tells nginx.
- `processes` starts and signals; `probes` asks whether something answers; `layout` says where everything lies.
"""
