"""The latent-keypoint generator: draws images from keypoints, so that it can say where they are.

Reading order:
    config         every choice, with its source
    latents        the noises of image i, from (seed, i) alone
    keypoints      noise to keypoints and embeddings
    layers         the factorised style convolution, SPADE, AdaIN
    synthesis      the foreground network and its mask
    background     the background network
    model          the three put together
    discriminator  real or generated
    features       the same in feature maps of a trained network
    adversary      both of them, and how they learn
    losses         one function per term of the paper
    augmentation   changes to what the discriminator sees, for small data sets
    calibration    batch-norm statistics of the averaged weights
    collapse       a run that has failed stops
    batches        real images for training
    train          the training loop
    sheet          sample sheets
    stream         image-keypoint pairs, addressed by index
    export         pairs into HDF5 shards
    editing        parts moved, exchanged, mixed, removed: pure functions
    editor         the same by name and in pixels, on a trained generator
    edits          what `kpdetect edit` is told to do
    edited         what it writes
    tiles          tiles of the sheets that compare images
"""
