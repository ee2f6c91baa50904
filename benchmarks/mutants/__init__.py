"""Do the tests notice broken code? Small changes, each against the tests that run it; see README.md."""
