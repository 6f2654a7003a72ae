"""What a piece is asked to be: labels, headers, requests and dictation."""
