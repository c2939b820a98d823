"""The closed sets of words: characteristics of cars, states of offers, kinds of runs, countries."""

import pycountry

BODY_TYPES = (
    *("sedan", "hatchback", "wagon", "suv", "coupe", "convertible", "minivan", "pickup", "van"),
)
FUEL_TYPES = ("petrol", "diesel", "hybrid", "electric", "gas", "hydrogen")
TRANSMISSIONS = ("manual", "automatic", "robotic", "variator")
CLASSES = ("economy", "compact", "middle", "business", "luxury", "sport")
# ISO 3166-1 alpha-2, of today's countries.
COUNTRIES = tuple(sorted(each.alpha_2 for each in pycountry.countries))
STATUSES = ("open", "filled", "expired", "cancelled", "refused")
REASONS = ("no_match", "out_of_stock", "price_above_max", "insufficient_funds", "expired")
KINDS = ("sales", "supply", "review")
