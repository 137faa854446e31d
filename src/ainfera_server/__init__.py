"""The gateway that fleets of agents run their inference through."""
