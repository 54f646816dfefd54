"""Django's command line for the users service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("users.settings")
