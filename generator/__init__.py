"""The latent-keypoint generator: draws images from keypoints, so that it knows where the keypoints are.

Reading order:
    config         every choice, with its source
    presets        the sizes of networks and schedules, by name
    architectures  the named models
    keypoints      noises of image i from (seed, i) alone; noises to keypoints and embeddings
    layers         the factorised style convolution, SPADE, AdaIN
    growing        models that begin with small images
    synthesis      the foreground network and its mask, and the background network
    model          keypoints, foreground and background put together
    stream         image-keypoint pairs, addressed by index
    sheet          sample sheets
    training/      the adversaries, the losses and the training loop
    editing/       images with parts moved, exchanged, mixed or removed
"""
