"""The database that needs no installing: its programs and the embedded server."""
