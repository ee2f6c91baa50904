"""The commands, one file each. Heavy modules load when a command runs."""
