"""Remember, and prove it.

    entry     one line of the log, and which fields each type must carry
    merkle    RFC 6962 hashes, roots and proofs
    note      the signed statement of a size and a root (C2SP checkpoint)
    tiles     the same log as C2SP tiles, for readers that are not gatesh
    store     the one writer: append, group commit, recovery
    blobs     what is too large or too secret for a line, named by its digest
    heads     what an approver's own machine remembers of a log
    audit     re-derive everything from the bytes

Bytes are fixed by `docs/spec/formats.md` §3-5.
"""
