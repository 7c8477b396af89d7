"""Files that are unreadable where they lie: a key for each object, wrapped by one for each tenant, wrapped by a master.

    master key       a file of the operator's, or a key service        master.py
    └─ tenant key    a small file in a folder beside it                tenants.py
       └─ data key   in the head of each object                        format.py
          └─ chunks of 64 KiB                                          format.py, store.py

The three live apart: a copy of the database and of the bucket opens nothing, and stays closed for ever where the
tenant's key has been destroyed since.
"""
