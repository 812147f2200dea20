"""Images: files, pixels and crops.

levels       the values that become black and white in images of more than 8 bits
deep_colour  colour images of 16 bits per channel
decoding     decodes one image file to RGB, with errors that name the file
arrays       crops and resizes images in memory
reduced      decodes large JPEG files at a reduced size
image_files  folders of images, reading and writing
"""
