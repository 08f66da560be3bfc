"""Ways of making pictures worse, and how they compose.

Each is a frozen record of options that is called with pictures and a generator. What is drawn, is drawn from the
generator of each picture; what is computed, is computed by OpenCV on a CPU and by torch, batched, elsewhere.
"""
