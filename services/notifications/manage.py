"""Django's command line for the notifications service."""

from bandstand.service.manage import main

if __name__ == "__main__":
    main("notifications.settings")
