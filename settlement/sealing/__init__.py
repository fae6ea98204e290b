"""From journal to sealed batch: lanes and signatures, what is chosen, leaves, the pure seal, receipts of it."""
