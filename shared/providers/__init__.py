"""The outbound ring: one room per upstream behaviour. Nothing here knows which protocol the client speaks."""
