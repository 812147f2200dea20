"""Reading, writing, cropping and resizing images.

levels       the pixel values that are mapped to black and to white in images of more than 8 bits per channel
deep_colour  reads colour images of 16 bits per channel
decoding     decodes one image file to RGB, with errors that name the file
arrays       crops and resizes images in memory
reduced      decodes large JPEG files at a reduced size
image_files  finds, reads and writes image files
orientation  tests whether the objects of a set of images have a common direction
"""
