"""What can be made of what: formats, routes and operations, for whoever wants to know before sending a file.

`endpoints` is the HTTP of it, `schemas` how it is told, `offers` what there is, `listings` a whole list as it is sent.
"""
