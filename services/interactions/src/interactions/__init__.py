"""The memory that all channels share: touchpoints, conversations, commitments, cases, and the resume."""
