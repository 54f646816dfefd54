"""The saga of the articles, as it is written there: in the thread of the request, its state saved after each step."""
