"""What the tests of generations share: settings that ask a loopback, and having descriptions written."""

from __future__ import annotations

import threading

from avion_core.usecases.writing import generations, ordering


def settings(server=None, **chosen):
    address = {"base_url": server.address} if server else {}
    return ordering.make_writing_settings({"per_class": 4, "distinguish": 0, **address, **chosen})


def have_written(home, server, **chosen) -> generations.GenerationView:
    generation = ordering.order_descriptions(home, "scenes", settings(server, **chosen))
    ordering.write_here(home, generation, threading.Event())
    return generations.get_generation(home, "scenes", generation)
