"""Tools for the tests of a service and of the library itself; production code never imports them."""
