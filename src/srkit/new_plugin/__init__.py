"""``srkit new-plugin``: a whole distribution from templates, for its author to fill.

``templates/every`` is what all have, ``templates/KIND`` what one kind has besides; the paths in them are those in the new
folder, with ``package`` for the import package and ``.txt`` added, so that nothing takes a template for code.
"""
