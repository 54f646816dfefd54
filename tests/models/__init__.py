"""Formal models of the protocols, explored by Spin: the model holds, and without any one mechanism it does not."""
