"""What an item looks like: a vector of its image by a frozen network, beside the text of method 1.

Takes files of images by the items' ids, gives a vector for each item, (M, width), zeros where it has no image that can be read, and
thumbnails for the report. The projection W x is trained with the users. Where a data set has no images no network is loaded.
"""
