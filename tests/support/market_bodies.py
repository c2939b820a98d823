"""What the market's routes are sent, as the tests of several files begin with it."""

EURO = {"amount": "10000.00", "currency": "EUR"}
DEALER = {
    "name": "Autohaus Nord",
    "country": "DE",
    "city": "Hamburg",
    "preferences": {},
    "margin_percent": "10.00",
    "spend_per_run": EURO,
    "target_stock": 2,
}
SEDANS = {**DEALER, "preferences": {"body_types": ["sedan"]}}
SUPPLIER = {"name": "Werk Süd", "founded_year": 1926, "country": "CZ"}
