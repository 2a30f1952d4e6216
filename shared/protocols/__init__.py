"""The inbound ring: one room per wire that clients speak; pure, from bodies to requests and from events to bytes."""
