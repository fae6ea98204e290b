"""What can be proven and how anyone checks it: canonical words, typed hashes, trees, header chain, files; shared by the
sealer and by those who trust nobody.

May import the standard library and small cryptographic wheels only.
"""
