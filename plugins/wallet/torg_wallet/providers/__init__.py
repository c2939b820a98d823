"""The payment providers that come with the wallet: `manual` and `sandbox`.

Both are made of the types of `torg_ledger.payments` alone, like any other plugin's provider; they
read no table of the wallet.
"""
