"""What is measured on music: metrics, voice leading, keys."""
