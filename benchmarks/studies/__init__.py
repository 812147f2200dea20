"""Measures that need no annotations, and experiments.

real_images       real images as a generator draws them
generated_images  images drawn to be measured
evidence          label-free evidence on a detector's keypoints
verdict           whether these keypoints can be trusted, from that evidence
judging           a model's verdict on the images of a folder
measure           numbers of a generator and its detector without annotations
controllability   which keypoint and which embedding control which part of the image
embeddings        embeddings of parts as clouds of points
nearest           the training images nearest to generated ones
locality          how much of an edit of one keypoint lies near it
diffaugment_leak  whether DiffAugment leaves signs in generated images
"""
