"""May it run?  Rules in, a verdict with its reasons out.

    rule      what one rule says, as a value
    reading   the text of one rule file → rules, or everything that is wrong with it
    packs     directories of rule files → a policy            (reads files)
    patterns  RE2, its one `Set` per kind of subject, and how it may fail
    engine    a policy judges an analysis
    check     what `gatesh rules test` finds
    starter   what `gatesh rules new` writes

Everything but `packs` is pure.
"""
