"""Weight files: where they are (``locate``, ``fetch``), what is in them (``read``, ``ncnn``), and their mixture (``mix``)."""
