"""What the wallet's routes refuse, beyond what the ledger does (`torg_ledger.errors`)."""
