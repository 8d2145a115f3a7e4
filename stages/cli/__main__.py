"""`python -m stages.cli`: the app where its script `crmman` is not installed."""

from stages.cli.app import main

if __name__ == "__main__":
    main()
