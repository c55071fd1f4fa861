"""The verbs, one file each. They are pure until something is saved."""
