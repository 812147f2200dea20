"""Measures that need no annotations, and experiments.

real_images       real images, cropped and scaled like a generator's images
generated_images  generated images for the measures
evidence          evidence, without annotations, on whether a detector's keypoints follow the object
verdict           whether the keypoints can be trusted, judged from that evidence
judging           the verdict on a model, from the images of a folder
stage_scores      which of a project's detectors to use
keypoint_choice   which keypoints of a detector to keep
measure           measures of a generator and its detector that need no annotations
measured_rows     the results of these measures, and the files that hold them
controllability   whether keypoints control pose and embeddings control appearance
embeddings        keypoint embeddings as clouds of points
nearest           the training images nearest to generated images
locality          how much of an edit of one keypoint stays near that keypoint
diffaugment_leak  whether the changes that DiffAugment makes in training appear in generated images
"""
