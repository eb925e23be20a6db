"""The sample corpus: some fifty invented pages, drawn from scratch by `samples/build.py`."""
