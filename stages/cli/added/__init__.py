"""What `crmman items` does."""
