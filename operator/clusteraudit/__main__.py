"""`python -m clusteraudit` is `cluster-audit`."""

from clusteraudit.cli.main import main

if __name__ == "__main__":
    main()
