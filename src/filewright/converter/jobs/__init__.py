"""Jobs: what a caller orders, from the order to the last byte of its result.

    endpoints      HTTP: what was asked, and the answer
    service.py     what a caller may do, as one list; each of it is done in a room below
    steering       a job that is there is stopped, tried again, rated, deleted; quarantine
    ordering       an order becomes a job, or is answered with a result that is there
    looking        a job as its owner sees it, now and as it goes on
    running        an attempt at a job, from the claim to the commit
    forecasts      how long it will wait and take
    repository     every move and look, as functions in a unit of work
    statements     what all of them send to the database most often, a trip each

Beside the rooms is what all of them speak of: the states and who may move a job (`states.py`), the tables
(`models.py`), what is ordered (`orders.py`) and what is shown (`schemas.py`). A room knows those below it and no other;
`pyproject.toml` holds them to it.
"""
