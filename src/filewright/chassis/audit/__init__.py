"""Who did what, for those who have to know later, in a way that nobody can change without being found out.

acts     what can be written down
names    what stands for somebody without an id
log      an act is written in the transaction that does it, as the next link of one chain
seals    heads of the chain are signed
copies   and copied to where the database's owner does not write
verify   walks the chain and names the row at which it is not what it was
watch    what is refused is gathered, and written down a moment later
alarms   patterns of abuse are counted and said aloud
bursts   what is a burst of the same thing, in one process or in many
"""
