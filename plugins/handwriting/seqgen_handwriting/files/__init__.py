"""File formats: readers and writers of ink."""
