"""What a local directory is listed and read with, and the filters every listing passes.

`walk` lists in key order on directory handles, `hashing` reads what holds still, `filters` says what is in scope,
`fingerprints` joins a listing with the digests this machine already knows.
"""
