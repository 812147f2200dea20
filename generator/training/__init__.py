"""Training of the generator.

augmentation   changes to the images that the discriminator sees, for small data sets
batches        real images for training
discriminator  the discriminator that sees pixels
features       the discriminator that sees feature maps of a trained network
losses         one function per loss of the LatentKeypointGAN paper
adversary      both discriminators and their updates
optimisers     learning rates by part of the generator and by stage of progressive growing
batch_norm     batch-norm statistics of the averaged weights
collapse       detection of collapsed runs
stopping       early stopping
job            the inputs, settings and limits of one training
train          the training loop
cost           the time, memory and disk that a training will need, measured before it begins
"""
