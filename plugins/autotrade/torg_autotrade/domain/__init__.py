"""The rules of the market, pure: integers in minor units and hundredths of a per cent."""
