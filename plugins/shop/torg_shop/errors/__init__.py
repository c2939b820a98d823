"""What the shop refuses. Each class docstring is the page behind `type`."""
