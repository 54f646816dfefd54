"""Django's command line for the orders service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("orders.settings")
