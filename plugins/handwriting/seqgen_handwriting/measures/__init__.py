"""What is measured on ink: metrics, legibility, likelihood."""
