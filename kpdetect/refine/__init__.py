"""Learning from real, unlabelled images: the second stage of a detector, and a discovery method of its own.

Reading order:
    config          every choice; what `refine` and `imm` switch on
    first_stage     the detector that is continued
    warps           smooth random maps of the plane, exact for images and points
    views           two warped views of every real image, and one of them recoloured
    reconstruction  an image from the look of one view and the keypoints of another (IMM)
    perception      features in which a reconstruction is compared
    losses          terms that belong to this stage alone
    anchor          synthetic pairs that keep keypoints where the first stage found them
    collapse        keypoints that drift away or fall together stop the run
    train           the training loop
"""
