"""`python -m filewright` is the same program as the `filewright` command."""

from filewright.cli import main

if __name__ == "__main__":
    main()
