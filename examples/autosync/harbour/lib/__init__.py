"""What the modules of the harbour share."""
