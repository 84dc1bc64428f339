"""``python -m atlas_hpe``: the command line without its script."""

from __future__ import annotations

from atlas_hpe.cli import main

if __name__ == "__main__":
    main()
