"""The one way out: every call that this program makes to an address which somebody else wrote goes through here.

addresses   which addresses may be reached at all
targets     an address as somebody wrote it, taken apart so strictly that it means one thing only
wire        the connection: a name is resolved once, all that it means is judged, and only that is dialled
client      one exchange, with bounds on time and bytes, and without redirects
"""
