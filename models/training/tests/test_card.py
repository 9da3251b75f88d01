from training.card import box_table, with_experimental


def numbers(experimental_boxes):
    found = {"class": "crack", "experimental": False, "boxes": None, "cells": None}
    rust = {"class": "corrosion", "experimental": True, "boxes": experimental_boxes, "cells": None}
    return {"tiles": {"classes": [found, rust]}}


def test_experimental_numbers_come_from_the_run_that_reported_them():
    boxes = {"found": 2, "boxes": 10, "inside": 3, "regions": 4}
    served, reported = numbers(None), numbers(boxes)
    reported["tiles"]["classes"][0]["boxes"] = boxes  # the others keep what the service does
    shown = with_experimental(served, reported)
    assert [c["boxes"] for c in shown["tiles"]["classes"]] == [None, boxes]
    assert box_table(shown).splitlines()[-1] == "| tiles | corrosion | 2 of 10 | 3 of 4 | – | – |"
    assert with_experimental(served, {}) == served
