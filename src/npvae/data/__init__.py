"""Images as they are stored and read (``images``), and where they come from (``sources``)."""
