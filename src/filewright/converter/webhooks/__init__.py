"""Telling others that a job is over, at an address of theirs.

    jobs ─ending─▶ fanout ─delivery for each receiver─▶ sender ─POST─▶ the receiver
          (in the transaction that ends the job)         (leased, again and again for a day, then dead)

Every step is a row before it is an act, so whichever process dies, each delivery arrives at least once; its
`webhook-id` stays the same, by which a receiver knows what it has had already. Requests are signed as Standard Webhooks
1.0 says.
"""
