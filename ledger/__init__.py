"""What was said and by whom: bytes, keys, admission, content heads, blocks, store, audit.

A run writes its ledger through `ledger.keeper`; anyone checks it with `ledger.audit`. See `docs/` for the format.
"""
