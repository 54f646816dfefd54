#!/usr/bin/env python
"""Run a management command of the products service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("products.settings")
