"""Everything the outside touches: HTTP, settings, entry points. Imports every operator room; nobody imports it."""
