"""Which finding is the cause: chains from symptom to root."""
