#!/usr/bin/env python
"""Run a management command of the inventory service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("inventory.settings")
