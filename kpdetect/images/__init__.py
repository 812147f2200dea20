"""Images: files, pixels and crops.

levels       which values of images with more than 8 bits are black and white
deep_colour  colour pictures of 16 bits a channel
decoding     one image file to RGB; whatever is wrong with it is an error that names it
arrays       images in memory: which part a network sees, and at which size
reduced      large JPEG files decoded at less than their size
image_files  folders of images, reading and writing
"""
