"""An ordinary Django project with every concern of the library installed: what the library's own tests run in."""
