"""What was said and by whom: bytes, keys, admission, content heads, blocks, store, audit.

A run writes its ledger through `ledger.keeper`; anyone checks it with `ledger.audit`. The formats stand where they are
written: envelopes in `encoding`, steps in `content`, records, blocks and files in `records`, `blocks`, `store`.
"""
