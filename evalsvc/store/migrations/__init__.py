"""How the database gets from one version's tables to the next one's; run by `evalsvc.store.migrate`."""
