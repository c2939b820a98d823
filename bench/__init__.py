"""Measurements, side by side in one run on one machine: `make bench`. They decide no test."""
