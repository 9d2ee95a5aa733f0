"""Evidence: what the log shows, in the forms that other people and programs work with.

    story      commands put together from their entries
    page       one self-contained HTML page: `charts`, `controls`
    tables     CSV and JSON lines
    ocsf       events for a security data lake;   `syslog` for a collector
    pack       a report on disk, made and checked
    derive     every file of a report from entries and blobs alone, so that a reader can do it again

Everything but `pack`, `check` and `files` is pure: the same entries give the same bytes.
"""
