"""What `crmman` answers out of a trained model: recommendations, their reasons, and what is like what."""
