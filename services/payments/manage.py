"""Django's command line for the payments service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("payments.settings")
