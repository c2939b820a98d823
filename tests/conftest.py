"""What all test folders share."""

import hypothesis

# No timing decides a test: a loaded machine is no failure.
hypothesis.settings.register_profile("torg", deadline=None)
hypothesis.settings.load_profile("torg")
