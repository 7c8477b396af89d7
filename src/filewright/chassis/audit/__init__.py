"""Who did what, for those who have to know later, in a way that nobody can change without being found out.

log      an act is written in the transaction that does it, as the next link of one chain
seals    heads of the chain are signed
copies   and copied to where the database's owner does not write
verify   walks the chain and names the row at which it is not what it was
alarms   patterns of abuse are counted and said aloud
"""
