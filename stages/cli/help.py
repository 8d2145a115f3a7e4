"""What `--help` shows below the options."""


def examples(*commands: str) -> str:
    """Commands as they stand, one a line."""
    return "\b\nFor example:\n" + "\n".join(f"  crmman {command}" for command in commands)
